// What every page does: dialogs filled by HTMX, filters that wait while an input method composes, menus that close.
// Nothing here is needed to use the pages: without scripts every link and form works by itself.
(() => {
  const dialog = document.getElementById('dialog'), body = document.getElementById('dialog-body');

  // A form asked for with hx-target="#dialog-body" opens the dialog; the first wrong field, else the first field, has the focus.
  document.addEventListener('htmx:afterSwap', event => {
    if (!dialog || event.detail.target !== body) return;
    if (!dialog.open) dialog.showModal();
    (body.querySelector('[aria-invalid="true"]') || body.querySelector('input:not([type=hidden]), select, textarea'))?.focus();
  });
  document.addEventListener('click', event => {
    if (event.target.closest('[data-close]')) { event.preventDefault(); event.target.closest('dialog')?.close(); }
    if (event.target.closest('[data-print]')) window.print();
    // A menu closes when somebody clicks beside it.
    for (const menu of document.querySelectorAll('details.pn-menu[open], details.pn-more[open]')) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || event.isComposing) return;
    for (const menu of document.querySelectorAll('details.pn-menu[open], details.pn-more[open]')) {
      menu.open = false;
      menu.querySelector('summary').focus();
    }
  });

  // Typing in a filter asks after a pause, and never while an input method composes.
  let pause;
  const ask = form => { clearTimeout(pause); pause = setTimeout(() => form.dispatchEvent(new Event('pn:search')), 350); };
  for (const name of ['input', 'compositionend']) {
    document.addEventListener(name, event => {
      const form = event.target.closest?.('form[data-filters]');
      if (form && event.target.matches('[type=search]') && !event.isComposing) ask(form);
    });
  }
  // The address carries only what was asked for.
  document.addEventListener('htmx:configRequest', event => {
    if (!event.detail.elt.matches?.('form[data-filters]')) return;
    for (const [name, value] of Object.entries(event.detail.parameters)) if (value === '') delete event.detail.parameters[name];
  });
  // A request that fails says so, and the text that was typed stays.
  for (const name of ['htmx:sendError', 'htmx:responseError', 'htmx:timeout']) {
    document.addEventListener(name, () => { const box = document.getElementById('failed'); if (box) box.hidden = false; });
  }
  document.addEventListener('htmx:beforeRequest', () => { const box = document.getElementById('failed'); if (box) box.hidden = true; });

  document.addEventListener('click', async event => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.querySelector('span').textContent = button.dataset.copied;
  });

  // Without scripts the buttons that need them are not offered.
  for (const element of document.querySelectorAll('[data-script]')) element.hidden = false;
  // Errors of a form sent the plain way: the first wrong field has the focus.
  document.querySelector('main [aria-invalid="true"]')?.focus();
})();
