// The theme that the reader chose, before anything is drawn.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem('theme'); } catch { /* storage may be off */ }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
