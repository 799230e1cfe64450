// Keys of the alerts board: j k go from row to row, x ticks, o opens; a verb without a tick means the row one stands on.
(() => {
  const page = document.getElementById('alerts');
  if (!page) return;
  const rows = () => [...page.querySelectorAll('#list tbody tr')];
  const box = row => row?.querySelector('input[name=pick]');
  let last = '';

  const current = () => rows().find(row => row.getAttribute('aria-current') === 'true');
  const stand = row => {
    if (!row) return;
    rows().forEach(each => each.removeAttribute('aria-current'));
    row.setAttribute('aria-current', 'true');
    last = box(row)?.value || '';
    row.querySelector('a.row-link')?.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'nearest' });
  };

  document.addEventListener('pn:key', event => {
    const all = rows(), at = all.indexOf(current());
    const serves = {
      j: () => stand(all[Math.min(all.length - 1, at + 1)]),
      k: () => stand(all[Math.max(0, at - 1)]),
      x: () => { const tick = box(current()); if (tick) tick.checked = !tick.checked; },
      o: () => current()?.querySelector('a.row-link')?.click(),
    }[event.detail.key];
    if (serves) { serves(); event.preventDefault(); return; }
    if ('msae'.includes(event.detail.key) && !page.querySelector('input[name=pick]:checked')) {
      const tick = box(current());
      if (tick) tick.checked = true;
      else event.preventDefault(); // nothing is meant
    }
  });

  // A new page of the list: stand where one stood, if that is still there.
  document.addEventListener('htmx:afterSwap', event => {
    if (event.detail.target.id === 'list' && last) stand(rows().find(row => box(row)?.value === last));
  });
})();
