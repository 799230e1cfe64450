// What to say: the key m, or the button, puts the script into the text to log, before what is typed there already.
(() => {
  let put = '';
  const by = id => document.getElementById(id);
  const use = () => {
    const raw = by('script-raw'), say = by('say'), variant = by('script-variant');
    if (!raw || !say || say.value.includes(raw.value)) return;
    const own = put && say.value.startsWith(put) ? say.value.slice(put.length).trimStart() : say.value;
    put = raw.value;
    say.value = own.trim() ? `${put}\n\n${own}` : put;
    if (variant) variant.value = by('script-for').dataset.variant || '';
    say.dispatchEvent(new Event('input', { bubbles: true }));
    say.focus();
    say.setSelectionRange(say.value.length, say.value.length);
  };
  let wanted = false;
  const ask = () => {
    const box = by('script-for');
    if (box.dataset.waits === undefined) { use(); return; }
    wanted = true; // it is on its way, or comes now
    htmx.trigger(box, 'pn:script');
  };
  document.addEventListener('pn:key', event => {
    if (event.detail.key !== 'm' || !by('script-for') || !by('say')) return;
    if (document.querySelector('.pn-slot input:checked')) return; // the key is about what is selected
    event.preventDefault(); // the letter is not typed into the text
    ask();
  });
  document.addEventListener('click', event => { if (event.target.closest('[data-use-script]')) use(); });
  document.addEventListener('htmx:afterSwap', () => {
    if (wanted && by('script-raw')) { wanted = false; use(); }
  });
})();
