// What the pages do beyond links and forms: local times, copying, the keyboard, the theme. Everything can be read without it.
(() => {
  'use strict';
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Times: the server writes UTC and distances; here they become the reader's own, and go on.
  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const date = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' });
  const whole = (n, unit, m, smaller) => (m ? `${n} ${unit} ${m} ${smaller}` : `${n} ${unit}`);
  const human = (s) => {
    if (s < 60) return `${Math.floor(Math.max(s, 0))} s`;
    if (s < 3600) return whole(Math.floor(s / 60), 'min', Math.floor(s % 60), 's');
    if (s < 86400) return whole(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min');
    return whole(Math.floor(s / 86400), 'd', Math.floor((s % 86400) / 3600), 'h');
  };
  const coarse = (s) => (s < 60 ? `${Math.floor(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`);
  const put = (el, text) => { if (el.textContent !== text) el.textContent = text; };
  const tick = () => {
    const now = Date.now();
    for (const el of $$('time[data-ago]')) {
      const s = (now - Date.parse(el.dateTime)) / 1000;
      put(el, s < 0 ? `in ${coarse(-s + 0.5)}` : `${coarse(s)} ago`);
    }
    for (const el of $$('time[data-running]')) put(el, human((now - Date.parse(el.dateTime)) / 1000));
  };
  const localize = () => {
    for (const el of $$('time[data-clock]')) put(el, clock.format(new Date(el.dateTime)));
    for (const el of $$('time[data-date]')) put(el, date.format(new Date(el.dateTime)));
    for (const el of $$('[data-copy][hidden], #theme[hidden], #keys[hidden], [data-script][hidden]')) el.hidden = false;
    for (const el of $$('[data-noscript]')) el.hidden = true;
    tick();
  };

  // The theme: as the system has it, light, or dark.
  const themes = ['auto', 'light', 'dark'];
  const theme = () => document.documentElement.dataset.theme || 'auto';
  const setTheme = (name) => {
    if (name === 'auto') delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
    try { if (name === 'auto') localStorage.removeItem('theme'); else localStorage.setItem('theme', name); } catch { /* it lasts for this page then */ }
    put($('[data-theme-name]'), name);
  };

  // Rows that the keyboard walks over.
  const rows = () => $$('tr[data-row]');
  const current = () => $('tr.at');
  const go = (step) => {
    const all = rows();
    if (!all.length) return;
    const from = all.indexOf(current());
    const to = all[Math.min(Math.max(from < 0 ? (step > 0 ? 0 : all.length - 1) : from + step, 0), all.length - 1)];
    current()?.classList.remove('at');
    to.classList.add('at');
    to.scrollIntoView({ block: 'nearest' });
    $('a', to)?.focus({ preventScroll: true });
  };

  // Selection: how many boxes are ticked, and the bar that acts on them.
  const count = () => {
    for (const bar of $$('[data-bulk]')) {
      const ticked = $$('input[data-select]:checked').length;
      bar.hidden = ticked === 0;
      for (const el of $$('[data-selected]', bar)) put(el, String(ticked));
    }
    const all = $('input[data-select-all]');
    if (all) {
      const boxes = $$('input[data-select]');
      all.checked = boxes.length > 0 && boxes.every((b) => b.checked);
      all.indeterminate = !all.checked && boxes.some((b) => b.checked);
    }
  };

  const link = (text, tone) => {
    const el = $('#link');
    if (!el) return;
    el.className = `mark ${tone}`;
    put(el, text);
  };

  let prefix = 0; // until when a key after g counts
  const typing = (el) => el.matches?.('input:not([type=checkbox]), textarea, select, [contenteditable]');
  const keys = {
    '/': () => { $('#search').focus(); $('#search').select(); },
    j: () => go(1), k: () => go(-1),
    n: () => $('a[rel=next]')?.click(), p: () => $('a[data-first]')?.click(),
    x: () => { const box = current() && $('input[data-select]', current()); if (box) { box.checked = !box.checked; count(); } },
    '?': () => $('#help').showModal(),
  };
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && typing(e.target)) { e.target.blur(); return; }
    if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || $('dialog[open]')) return;
    if (prefix > Date.now()) {
      prefix = 0;
      const to = $(`nav a[data-go="${CSS.escape(e.key)}"]`);
      if (to) { e.preventDefault(); to.click(); return; }
    }
    if (e.key === 'g') { prefix = Date.now() + 1500; return; }
    if (e.key === 'Enter' && current() && e.target === document.body) { $('a', current())?.click(); return; }
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });

  document.addEventListener('click', async (e) => {
    const copy = e.target.closest('[data-copy]');
    if (copy) {
      try { await navigator.clipboard.writeText(copy.dataset.copy); } catch { return; }
      copy.classList.add('done');
      setTimeout(() => copy.classList.remove('done'), 1200);
      return;
    }
    if (e.target.closest('#theme')) { setTheme(themes[(themes.indexOf(theme()) + 1) % themes.length]); return; }
    if (e.target.closest('#keys')) { $('#help').showModal(); return; }
    const opener = e.target.closest('[data-open]');
    if (opener) { e.preventDefault(); document.getElementById(opener.dataset.open)?.showModal(); return; }
    if (e.target.closest('[data-close]')) e.target.closest('dialog')?.close();
  });
  document.addEventListener('change', (e) => {
    if (e.target.matches('input[data-select-all]')) for (const box of $$('input[data-select]')) box.checked = e.target.checked;
    if (e.target.matches('input[data-select], input[data-select-all]')) count();
    if (e.target.matches('[data-submit]')) e.target.form.requestSubmit();
  });
  // An empty field of a filter has no place in the URL.
  document.addEventListener('submit', (e) => {
    if (e.target.method !== 'get') return;
    for (const el of e.target.elements) if (el.name && el.value === '' && !el.disabled) { el.disabled = true; setTimeout(() => { el.disabled = false; }); }
  });

  document.addEventListener('htmx:after:swap', () => { localize(); count(); });
  document.addEventListener('htmx:sse:after:connection', () => link('● live', 'ok'));
  document.addEventListener('htmx:sse:error', () => link('○ reconnecting', 'wait'));
  localize();
  count();
  put($('[data-theme-name]'), theme());
  setInterval(tick, 1000);
})();
