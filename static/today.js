// Today's queue: one row is current, the keys move it, verbs act on what is selected, else on the current row.
// The server renders; this keeps the place, the selection, the focus and what has been typed.
(() => {
  const today = document.getElementById('today');
  if (!today) return;
  // The new rows say at once what they are: htmx would let them look like the old ones for a moment.
  htmx.config.attributesToSettle = [];
  const find = (selector, within = document) => within.querySelector(selector);
  const preview = document.getElementById('preview'), live = document.getElementById('live');
  const writes = Boolean(today.dataset.write), UNDO_TIME = 10000, PAUSE = 300, STEP = 60;
  const rows = () => [...document.querySelectorAll('.pn-item')];
  const box = row => find('input[type=checkbox]', row), link = row => find('a.pn-item-link', row);
  const picked = () => rows().filter(row => box(row)?.checked);
  // By the attribute, not the class: htmx lends new rows the old ones' classes until they have settled.
  const place = () => rows().findIndex(row => link(row)?.hasAttribute('aria-current'));
  const currentId = () => rows()[place()]?.dataset.id;
  const beside = () => preview.offsetParent !== null; // on a small screen the preview is a page of its own
  const dialog = document.getElementById('dialog');
  const leaving = new Set(); // done here, but not yet at the server: an earlier answer still lists them
  let anchor = null, undoTimer, waitTimer, showTimer, scroll = 0, focus = true, last = Promise.resolve();

  // ── where we are ──
  const mark = at => {
    rows().forEach((row, each) => {
      row.classList.toggle('is-current', each === at);
      if (each === at) link(row).setAttribute('aria-current', 'true'); else link(row).removeAttribute('aria-current');
      row.querySelectorAll('a, input').forEach(element => { element.tabIndex = each === at ? 0 : -1; });
    });
  };
  // Who runs down the list asks only for where they stop.
  const show = at => {
    clearTimeout(showTimer);
    if (beside()) showTimer = setTimeout(() => { const row = rows()[at]; if (row) htmx.trigger(link(row), 'pn:open'); }, STEP);
  };
  const go = wanted => {
    const all = rows(), at = Math.max(0, Math.min(all.length - 1, wanted));
    if (!all.length) return;
    const moved = at !== place();
    mark(at);
    link(all[at]).focus({ focusVisible: true });
    all[at].scrollIntoView({ block: 'nearest' });
    if (moved) show(at);
  };

  // ── what is selected ──
  const sync = () => {
    const count = picked().length, words = find('#bulk-bar strong');
    find('#queue')?.classList.toggle('is-picking', count > 0);
    rows().forEach(row => row.classList.toggle('is-checked', Boolean(box(row)?.checked)));
    if (words && count) words.textContent = count === 1 ? words.dataset.one : words.dataset.many.replace('%n', count);
  };
  const select = at => { const own = box(rows()[at]); if (own) { own.checked = !own.checked; anchor = at; sync(); } };
  const selectTo = at => {
    const [from, to] = [anchor ?? at, at].sort((a, b) => a - b);
    rows().slice(from, to + 1).forEach(row => { if (box(row)) box(row).checked = true; });
    sync();
  };
  const clear = () => { picked().forEach(row => { box(row).checked = false; }); anchor = null; sync(); };

  // ── verbs ──
  const ask = (address, values) => {
    // One after the other: the second verb must find what the first has left.
    values.pick.forEach(id => leaving.add(id));
    last = last.then(() => {
      values.pick.forEach(id => leaving.delete(id)); // from now on the server's word counts
      return htmx.ajax('POST', address, { target: '#queue-body', swap: 'outerHTML', values });
    }).catch(() => {});
  };
  const act = key => {
    const bulk = document.getElementById('bulk');
    const chosen = picked().length ? picked() : rows().filter(row => row.dataset.id === currentId());
    if (!writes || !bulk || !chosen.length) return;
    const ids = chosen.map(row => row.dataset.id), at = currentId();
    const button = find(`#bulk-bar [data-act="${key}"]`);
    if (key === 'e') {
      // The row goes at once, so that the next key meets the next row; the answer sets it right if it must stay.
      const next = rows().find((row, each) => each > place() && !chosen.includes(row)) || rows().findLast(row => !chosen.includes(row));
      chosen.forEach(row => row.remove());
      if (next) { mark(rows().indexOf(next)); link(next).focus(); }
      ask(bulk.getAttribute('action'), { pick: ids, seen: ids.length, at });
    } else {
      htmx.ajax('POST', button.getAttribute('formaction'), { target: '#dialog-body', values: { open: 1, pick: ids, seen: ids.length, at: at ?? '' } });
    }
  };
  const undo = () => find('#undo form')?.requestSubmit();
  const log = () => document.getElementById('log');
  const write = outcome => {
    const row = rows()[place()];
    if (!beside() && row) { location.assign(link(row).href); return; }
    if (outcome) { const radio = document.getElementById(`o-${outcome}`); if (radio) radio.checked = true; }
    document.getElementById('say')?.focus();
  };
  const why = () => { const box = document.getElementById('why'); if (box) box.open = !box.open; };
  const open = (part = '') => { const row = rows()[place()]; if (row) location.assign(link(row).dataset.open + part); };
  const look = () => { const box = find('.pn-look'); box.open = true; document.getElementById('look').focus(); };

  const KEYS = {
    j: () => go(place() + 1), k: () => go(place() - 1), o: () => open(), '/': look,
    x: () => select(place()), X: () => selectTo(place()), Escape: clear, u: undo,
    e: () => act('e'), s: () => act('s'), a: () => act('a'), l: () => write(''), m: () => (picked().length ? act('m') : write('sent')),
    r: () => why(), p: () => act('p'),
  };
  const IN_LIST = { ArrowDown: KEYS.j, ArrowUp: KEYS.k, Enter: () => open() };
  document.addEventListener('pn:key', event => {
    const { key, target } = event.detail, inList = find('#queue')?.contains(target);
    const run = (inList && IN_LIST[key]) || (rows().length || 'u/'.includes(key) ? KEYS[key] : undefined);
    if (run && !(key === 'Enter' && target.matches('input'))) { event.preventDefault(); run(); }
  });
  // Log and next works out of the text, too; never while an input method composes.
  document.addEventListener('keydown', event => {
    if (event.isComposing || event.keyCode === 229 || event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    if (dialog?.open || !log()) return;
    event.preventDefault();
    log().requestSubmit();
  });

  dialog?.addEventListener('close', () => {
    const there = document.activeElement, row = rows()[Math.max(0, place())];
    if (row && (there === document.body || dialog.contains(there))) link(row).focus();
  });
  // Enter sends what the dialog asks, from a choice as from a field.
  dialog?.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || event.isComposing || !event.target.matches('#dialog-body form select')) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });

  document.addEventListener('click', event => {
    const row = event.target.closest('.pn-item-link'), button = event.target.closest('[data-act]');
    if (row && beside() && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      go(rows().indexOf(row.closest('.pn-item')));
    }
    if (button) { event.preventDefault(); if (button.dataset.act === 'Escape') clear(); else act(button.dataset.act); }
    if (event.target.closest('[data-retry]')) show(place());
  });
  document.addEventListener('change', event => {
    if (event.target.matches('.pn-slot input')) { anchor = rows().indexOf(event.target.closest('.pn-item')); sync(); }
    if (event.target.matches('#id_reason')) other();
  });
  const other = () => { const words = find('.pn-other'); if (words) words.hidden = find('#id_reason').value !== 'other'; };

  // ── what is typed: kept for each follow-up until it is logged ──
  const drafts = new Map();
  document.addEventListener('input', event => {
    if (event.target.id === 'say') drafts.set(find('.pn-preview').dataset.id, event.target.value);
  });
  const restore = () => {
    const id = find('.pn-preview', preview)?.dataset.id, say = document.getElementById('say');
    if (say && !say.value && drafts.has(id)) say.value = drafts.get(id);
  };

  // ── what comes in ──
  document.addEventListener('htmx:configRequest', event => {
    if (event.detail.elt.closest?.('[data-keep]')) event.detail.parameters.at = currentId() ?? '';
  });
  document.addEventListener('htmx:beforeRequest', event => {
    const into = event.detail.target;
    if (into === preview) {
      waitTimer = setTimeout(() => { preview.replaceChildren(document.getElementById('preview-wait').content.cloneNode(true)); }, PAUSE);
    }
    if (into?.id === 'queue-body') {
      scroll = find('.pn-scroll', into).scrollTop;
      // Who types in the search goes on typing there; everybody else goes on in the list.
      focus = document.activeElement?.id !== 'look';
    }
  });
  document.addEventListener('htmx:afterRequest', () => clearTimeout(waitTimer));
  // What failed says so where it was asked for; a preview that a later one has overtaken did not fail.
  for (const name of ['htmx:sendError', 'htmx:responseError', 'htmx:timeout']) {
    document.addEventListener(name, event => {
      const into = event.detail.target;
      if (into === preview) preview.replaceChildren(document.getElementById('preview-failed').content.cloneNode(true));
      else document.getElementById('queue-body').append(document.getElementById('verb-failed').content.cloneNode(true));
    });
  }
  // At once, not when things have settled: the next key may come in between.
  const arrange = () => {
    const at = Math.max(0, place()), stays = row => !leaving.has(row.dataset.id);
    const next = rows().find((row, each) => each >= at && stays(row)) || rows().findLast(stays);
    rows().filter(row => !stays(row)).forEach(row => row.remove());
    if (next) mark(rows().indexOf(next));
  };
  document.addEventListener('htmx:afterSwap', event => {
    if (event.target.id === 'queue-body') arrange();
    if (event.detail.target === preview) restore();
    if (event.detail.target?.id === 'dialog-body') other();
  });
  document.addEventListener('htmx:afterSettle', event => {
    if (event.detail.elt?.id === 'queue-body') settle();
  });
  const settle = () => {
    if (dialog?.open) dialog.close();
    const body = document.getElementById('queue-body'), all = rows();
    find('.pn-scroll', body).scrollTop = scroll;
    mark(place());
    sync();
    watch();
    const gone = new Set([...drafts.keys()].filter(id => !document.getElementById(`f-${id}`)));
    gone.forEach(id => { if (id !== find('.pn-preview', preview)?.dataset.id) drafts.delete(id); });
    restore();
    if (focus && all.length) {
      link(all[Math.max(0, place())]).focus({ focusVisible: true });
      all[Math.max(0, place())].scrollIntoView({ block: 'nearest' });
    }
    focus = true;
  };
  const watch = () => {
    clearTimeout(undoTimer);
    const bar = document.getElementById('undo');
    if (bar) undoTimer = setTimeout(() => { bar.hidden = true; }, UNDO_TIME);
  };

  mark(place());
  sync();
  watch();
})();
