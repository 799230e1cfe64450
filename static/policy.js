// The policy's form: its fields stay while the notes below them come and go with each answer; what is wrong is said
// on the field itself, too, for those who hear the page.
(() => {
  const tell = () => {
    for (const note of document.querySelectorAll('#policy-fields .was[data-of]')) {
      const field = document.getElementById(note.dataset.of), wrong = note.querySelector('.invalid-feedback');
      for (const each of field?.matches('input, select') ? [field] : field?.querySelectorAll('input') || []) {
        if (wrong) each.setAttribute('aria-invalid', 'true'); else each.removeAttribute('aria-invalid');
      }
    }
  };
  document.addEventListener('htmx:afterSettle', tell);
  tell();
  // What the buttons swap away takes the focus with it: back to the field that they were about.
  let about = '';
  document.addEventListener('htmx:beforeRequest', event => { about = event.target.closest('.was')?.dataset.of || ''; });
  document.addEventListener('htmx:afterSettle', () => {
    if (!about || document.activeElement !== document.body) return;
    document.getElementById(about)?.focus();
    about = '';
  });
})();
