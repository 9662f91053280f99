// Before anything is drawn: a page must not flash in the other colours.
(() => {
  const chosen = localStorage.getItem("slicewatch-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
