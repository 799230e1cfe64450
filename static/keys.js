// The keys of every page: g t, g c, ?, Ctrl-K, and the letters that buttons carry (data-key). A page's own keys
// hear "pn:key" and cancel it when they have served. None fires while text is typed or an input method composes.
(() => {
  const keys = document.getElementById('keys'), palette = document.getElementById('palette');
  if (!keys || !palette) return;
  const composes = event => event.isComposing || event.keyCode === 229;
  // A field of a dialog that has just closed may keep the focus for a moment: nobody types there.
  const types = element => !element.closest?.('dialog:not([open])') && element.matches?.('textarea, select, [contenteditable], input:not([type=checkbox], [type=radio])');
  const JUMPS = { t: keys.dataset.today, c: keys.dataset.customers, k: keys.dataset.calendar, d: keys.dataset.closeDay }, JUMP_TIME = 1500;
  let jumping = 0;

  const letters = document.getElementById('letter-keys');
  letters.addEventListener('change', () => { keys.dataset.letters = letters.checked ? 'on' : 'off'; });

  const serve = event => {
    const key = event.key;
    if (jumping && Date.now() - jumping < JUMP_TIME && JUMPS[key]) { location.assign(JUMPS[key]); return true; }
    jumping = 0;
    if (key === 'g') { jumping = Date.now(); return true; }
    if (key === '?') { keys.showModal(); return true; }
    const offered = new CustomEvent('pn:key', { detail: { key, target: event.target }, cancelable: true });
    if (!document.dispatchEvent(offered)) return true;
    const button = /^[a-z]$/.test(key) && document.querySelector(`main [data-key="${key}"]`);
    if (button) button.click();
    return Boolean(button);
  };

  document.addEventListener('keydown', event => {
    if (composes(event) || event.defaultPrevented) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && !event.altKey && event.key.toLowerCase() === 'k') { event.preventDefault(); open(); return; }
    if (document.querySelector('dialog[open]')) return;
    if (types(event.target)) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    if (control || event.altKey) return;
    if (event.key.length === 1 && keys.dataset.letters === 'off') return;
    if (serve(event)) event.preventDefault();
  });

  // ── find or jump ──
  const text = document.getElementById('palette-text'), list = document.getElementById('palette-list');
  const options = () => [...list.querySelectorAll('[role=option][data-href]')];
  let pause, asked = 0;

  const open = () => {
    if (palette.open) return;
    text.value = '';
    palette.showModal();
    ask();
  };
  const choose = wanted => {
    const all = options(), place = Math.max(0, Math.min(all.length - 1, wanted));
    all.forEach((option, at) => option.setAttribute('aria-selected', at === place));
    if (all[place]) { text.setAttribute('aria-activedescendant', all[place].id); all[place].scrollIntoView({ block: 'nearest' }); }
    else text.removeAttribute('aria-activedescendant');
  };
  const chosen = () => options().findIndex(option => option.getAttribute('aria-selected') === 'true');
  const ask = async () => {
    const turn = ++asked;
    const answer = await fetch(`${text.dataset.find}?q=${encodeURIComponent(text.value)}`, { headers: { 'HX-Request': 'true' } });
    if (turn !== asked || !answer.ok) return; // a later letter was quicker
    list.innerHTML = await answer.text();
    [...list.children].forEach((option, at) => { option.id = `palette-${at}`; option.setAttribute('aria-selected', 'false'); });
    // Who types a name means the customer; the pages come first only while nothing is typed.
    choose(text.value ? Math.max(0, options().findIndex(option => option.dataset.who !== undefined)) : 0);
  };
  for (const name of ['input', 'compositionend']) {
    text.addEventListener(name, event => {
      if (event.isComposing) return;
      clearTimeout(pause);
      pause = setTimeout(ask, 120);
    });
  }
  text.addEventListener('keydown', event => {
    if (composes(event)) return;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (moves[event.key]) { event.preventDefault(); choose(chosen() + moves[event.key]); }
    if (event.key === 'Enter') { event.preventDefault(); const option = options()[chosen()]; if (option) location.assign(option.dataset.href); }
  });
  list.addEventListener('click', event => {
    const option = event.target.closest('[data-href]');
    if (option) location.assign(option.dataset.href);
  });
  document.addEventListener('click', event => {
    if (event.target.closest('[data-find]:not(input)')) { event.preventDefault(); open(); } // without scripts it leads to the list
    if (event.target === palette || event.target === keys) event.target.close(); // the ground beside it
  });
})();
