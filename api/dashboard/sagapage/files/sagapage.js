// The page of one saga: zoom of the timeline, and the dialog of an action. Without it the timeline shows all, and an action is a page.
(() => {
  'use strict';
  let zoom = 1;

  const plot = () => document.querySelector('.g-plot');

  // The drawing is wider than its window; places in it are percentages, so nothing else changes.
  function apply(keep) {
    const window_ = plot();
    const drawing = window_ && window_.querySelector('svg');
    if (!drawing) return;
    const middle = keep ?? (window_.scrollLeft + window_.clientWidth / 2) / Math.max(drawing.clientWidth, 1);
    drawing.setAttribute('width', `${zoom * 100}%`);
    window_.scrollLeft = middle * drawing.clientWidth - window_.clientWidth / 2;
  }

  function change(how) {
    if (how === 'in') zoom = Math.min(zoom * 2, 64);
    if (how === 'out') zoom = Math.max(zoom / 2, 1);
    if (how === 'all') zoom = 1;
    apply();
  }

  function show() {
    for (const buttons of document.querySelectorAll('.sg-zoom')) buttons.hidden = false;
    if (zoom !== 1) apply();
  }

  document.addEventListener('click', (e) => {
    const button = e.target.closest('[data-zoom]');
    if (button) change(button.dataset.zoom);
    if (e.target.closest('[data-close]')) {
      const dialog = e.target.closest('dialog');
      if (dialog) { e.preventDefault(); dialog.close(); }
    }
    const menu = document.querySelector('.sg-menu[open]');
    if (menu && !menu.contains(e.target)) menu.open = false;
  });

  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') {
      const menu = document.querySelector('.sg-menu[open]');
      if (menu) { menu.open = false; menu.querySelector('summary').focus(); }
    }
    if (!e.target.closest || !e.target.closest('.g-plot') || e.ctrlKey || e.metaKey || e.altKey) return;
    const how = { '+': 'in', '=': 'in', '-': 'out', 0: 'all' }[e.key];
    if (how) { e.preventDefault(); change(how); }
  });

  // A link to a step opens it.
  function open() {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && document.getElementById(id);
    if (target && target.matches('details')) target.open = true;
  }
  addEventListener('hashchange', open);
  document.addEventListener('click', (e) => {
    const box = e.target.closest('.p-box');
    if (box) setTimeout(open);
  });

  document.addEventListener('htmx:after:swap', () => {
    show();
    const dialog = document.getElementById('act-dialog');
    const body = document.getElementById('act-body');
    if (dialog && body && body.firstElementChild && !dialog.open && body.dataset.shown !== body.firstElementChild.dataset.token) {
      body.dataset.shown = body.firstElementChild.dataset.token;
      dialog.showModal();
    }
  });

  show();
  open();
})();
