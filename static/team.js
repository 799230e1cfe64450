// The desk of a team: a customer dropped on a person is given to them, keys do the same, selects ask by themselves.
// Without scripts every verb is a form of its own.
(() => {
  for (const form of document.querySelectorAll('form[data-submit]')) {
    form.querySelector('[data-plain]').hidden = true;
    form.querySelector('select').addEventListener('change', event => { if (event.target.value || form.method === 'get') form.requestSubmit(); });
  }
  const desk = document.getElementById('desk'), hand = document.getElementById('hand-on');
  if (!desk?.dataset.write || !hand) return;
  const rows = () => [...desk.querySelectorAll('[data-drag]')], box = row => row.querySelector('input[type=checkbox]');

  // ── by drag: the row, or all that are selected when it is one of them ──
  let dragged = null;
  const clear = () => desk.querySelectorAll('.is-over').forEach(each => each.classList.remove('is-over'));
  rows().forEach(row => { row.draggable = true; });
  desk.addEventListener('dragstart', event => {
    dragged = event.target.closest?.('[data-drag]');
    if (!dragged) return;
    event.dataTransfer.effectAllowed = 'move';
    event.dataTransfer.setData('text/plain', dragged.querySelector('th').textContent.trim());
    dragged.classList.add('is-dragged');
  });
  desk.addEventListener('dragend', () => { dragged?.classList.remove('is-dragged'); clear(); dragged = null; });
  desk.addEventListener('dragover', event => {
    const person = event.target.closest('[data-drop]');
    clear();
    if (!dragged || !person) return;
    event.preventDefault();
    person.classList.add('is-over');
  });
  desk.addEventListener('drop', event => {
    const person = event.target.closest('[data-drop]');
    if (!dragged || !person) return;
    event.preventDefault();
    const own = box(dragged), pick = hand.querySelector('input[type=hidden][name=pick]');
    if (own) {
      if (!own.checked) rows().forEach(row => { box(row).checked = row === dragged; });
      person.querySelector('input[name=to]').checked = true;
    } else {
      pick.value = dragged.dataset.drag;
      hand.querySelector('[name=to]').value = person.dataset.drop;
    }
    hand.requestSubmit();
  });

  // ── by keys ──
  const current = () => rows().findIndex(row => row.contains(document.activeElement));
  const go = at => { const all = rows(), row = all[Math.max(0, Math.min(all.length - 1, at))]; row?.querySelector('input, a')?.focus({ focusVisible: true }); };
  const KEYS = {
    j: () => go(current() + 1), k: () => go(current() < 0 ? 0 : current() - 1),
    x: () => { const own = rows()[current()] && box(rows()[current()]); if (own) own.checked = !own.checked; },
    a: () => { const row = rows()[Math.max(0, current())]; (row?.querySelector('[data-assign]') || { click: () => hand.querySelector('input[name=to]:not([type=hidden])')?.focus() }).click(); },
  };
  document.addEventListener('pn:key', event => {
    const run = rows().length ? KEYS[event.detail.key] : undefined;
    if (run) { event.preventDefault(); run(); }
  });
})();
