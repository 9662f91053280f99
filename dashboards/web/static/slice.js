"use strict";
// The page of one slice: what would have fired at another sensitivity, and earlier weeks beside this one.

(() => {
  const chart = document.getElementById("slice-chart"), range = document.getElementById("budget");
  const earlier = document.getElementById("earlier"), said = document.getElementById("fired");
  const source = document.getElementById("slider");
  if (!chart) return;
  const { fires, steps } = source ? JSON.parse(source.textContent) : { fires: [], steps: [] };

  const traces = (role) => chart.data.flatMap((trace, at) => (trace.meta === role ? [at] : []));

  function overlay() {
    const some = traces("earlier");
    if (earlier && some.length) Plotly.restyle(chart, { visible: earlier.checked }, some);
  }

  function slide() {
    if (!range) return;
    const [budget, threshold] = steps[range.value], name = range.dataset.names.split("|")[range.value];
    const at = fires.flatMap((most, i) => (most > 0 && most >= threshold ? [i] : []));
    const stretches = at.filter((i, n) => n === 0 || at[n - 1] !== i - 1).length;
    const own = budget === Number(range.dataset.current) ? ", as the rule does" : "";
    said.textContent = `${budget} a week${name ? ` (${name})` : ""}${own}: alarmed from a surprise of ${threshold.toFixed(1)} on. `
      + (at.length ? `${at.length} of ${fires.length} buckets would have been, in ${stretches} ${stretches === 1 ? "stretch" : "stretches"}.` : "No bucket would have been.");
    if (!chart.data) return;
    const observed = chart.data[traces("observed")[0]];
    Plotly.restyle(chart, { x: [at.map((i) => observed.x[i])], y: [at.map((i) => observed.y[i])] }, traces("fired"));
  }

  range?.addEventListener("input", slide);
  earlier?.addEventListener("change", overlay);
  // A chart that is drawn anew, in other colours or on another clock, has lost both.
  chart.addEventListener("slicewatch:drawn", () => { overlay(); slide(); });
})();
