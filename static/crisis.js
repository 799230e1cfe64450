// The crisis room: "Write update" puts the cursor into its field; nothing is swapped while a form of it is being used.
(() => {
  document.addEventListener('click', event => {
    const link = event.target.closest('[data-focus]');
    if (!link) return;
    event.preventDefault();
    const field = document.getElementById(link.dataset.focus);
    field.focus();
    field.scrollIntoView({ block: 'center' });
  });
  // A step done or a dialog sent loads the page anew: a line that is half written is there again.
  const line = document.getElementById('upd'), place = `crisis:${location.pathname}`;
  if (line) {
    if (!line.value) line.value = sessionStorage.getItem(place) || '';
    sessionStorage.removeItem(place);
    let sent = false;
    line.form.addEventListener('submit', () => { sent = true; });
    addEventListener('pagehide', () => { if (!sent && line.value) sessionStorage.setItem(place, line.value); });
  }
  // Somebody reads a link or types why they refuse: that part waits for the next look, which then brings all again.
  let waits = false;
  document.addEventListener('htmx:oobBeforeSwap', event => {
    const part = event.detail.target, typed = part.querySelector('input[name=why]');
    if (part.querySelector('details[open]') || (typed && typed.value)) { event.detail.shouldSwap = false; waits = true; }
  });
  document.addEventListener('htmx:configRequest', event => {
    if (event.detail.elt.id !== 'crisis-live' || !waits) return;
    waits = false;
    event.detail.path = event.detail.path.replace(/seen=[^&]*/, 'seen=');
  });
})();
