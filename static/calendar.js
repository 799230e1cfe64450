// The calendar: a follow-up dropped on a day moves there. The button beside it does the same for everybody else.
(() => {
  const calendar = document.querySelector('.pn-cal[data-write=yes]');
  if (!calendar) return;
  let dragged = null;
  for (const item of calendar.querySelectorAll('[data-move]')) item.draggable = true;

  calendar.addEventListener('dragstart', event => {
    dragged = event.target.closest('[data-move]');
    if (!dragged) return;
    event.dataTransfer.effectAllowed = 'move';
    event.dataTransfer.setData('text/plain', dragged.textContent.trim());
    dragged.classList.add('is-dragged');
  });
  calendar.addEventListener('dragend', () => {
    dragged?.classList.remove('is-dragged');
    calendar.querySelectorAll('.is-over').forEach(day => day.classList.remove('is-over'));
    dragged = null;
  });
  const over = event => {
    const day = event.target.closest('[data-day]');
    return dragged && day && !day.contains(dragged) ? day : null;
  };
  calendar.addEventListener('dragover', event => {
    const day = over(event);
    calendar.querySelectorAll('.is-over').forEach(each => { if (each !== day) each.classList.remove('is-over'); });
    if (!day) return;
    event.preventDefault();
    day.classList.add('is-over');
  });
  calendar.addEventListener('drop', event => {
    const day = over(event);
    if (!day) return;
    event.preventDefault();
    // What is refused comes back as the form, with the reason, in the dialog.
    htmx.ajax('POST', dragged.dataset.move, { target: '#dialog-body', swap: 'innerHTML', values: { to: day.dataset.day } });
  });
})();
