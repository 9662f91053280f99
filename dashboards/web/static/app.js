"use strict";
// What pages do in a browser beyond htmx: times, colours, forms, charts.

const root = document.documentElement;

// --- times: UTC as sent, or the reader's own ---------------------------------------------------------------------

const LOCAL = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

function isLocal() { return localStorage.getItem("slicewatch-clock") === "local"; }

function showTimes(within) {
  for (const item of within.querySelectorAll("time[datetime]")) {
    item.dataset.utc ??= item.textContent;
    item.textContent = isLocal() ? LOCAL.format(new Date(item.dateTime)) : item.dataset.utc;
  }
  const button = document.querySelector("[data-clock]");
  if (button) {
    button.textContent = isLocal() ? "Local time" : "UTC";
    button.setAttribute("aria-pressed", String(isLocal()));
  }
}

// --- charts: figures that come as JSON beside their place ---------------------------------------------------------

function colour(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }

function themed(layout) {
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line") };
  const made = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
  made.font = { ...layout.font, color: colour("--ink"), family: "system-ui, sans-serif" };
  for (const key of Object.keys(made)) if (/^[xy]axis\d*$/.test(key)) made[key] = { ...axis, ...made[key] };
  made.shapes = (layout.shapes ?? []).map((shape) => ({ ...shape, ...(SHAPES[shape.name]?.() ?? {}) }));
  return made;
}

// What a trace or a shape is for says what it looks like, in whichever colours the page has.
const TRACES = {
  observed: () => ({ line: { color: colour("--observed"), width: 2 } }),
  expected: () => ({ line: { color: colour("--expected"), width: 1.5, dash: "dash" } }),
  low: () => ({ line: { width: 0 }, hoverinfo: "skip" }),
  high: () => ({ line: { width: 0 }, fill: "tonexty", fillcolor: colour("--band"), hoverinfo: "skip" }),
  earlier: () => ({ line: { color: colour("--soft"), width: 1 }, opacity: .45 }),
  fired: () => ({ marker: { color: colour("--bad"), size: 9, symbol: "x" } }),
};
const SHAPES = {
  incident: () => ({ fillcolor: colour("--bad"), opacity: .12, line: { width: 0 } }),
  unknown: () => ({ fillcolor: colour("--unknown"), opacity: .3, line: { width: 0 } }),
  flagged: () => ({ fillcolor: colour("--warn"), opacity: .15, line: { width: 0 } }),
  silenced: () => ({ fillcolor: colour("--more"), opacity: .12, line: { width: 0 } }),
  mark: () => ({ line: { color: colour("--ink"), width: 1, dash: "dot" } }),
};

function dressed(trace) { return { ...trace, ...(TRACES[trace.meta]?.() ?? {}) }; }

// Times in figures are UTC, as a clock shows them; plotly.js knows no time zones.
function clocked(figure) {
  if (!isLocal()) return figure;
  const local = (text) => {
    const at = new Date(`${text.replace(" ", "T")}Z`);
    return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16).replace("T", " ");
  };
  const moved = (item, ...keys) => Object.fromEntries(keys.filter((k) => typeof item[k] === "string").map((k) => [k, local(item[k])]));
  const layout = { ...figure.layout };
  layout.shapes = (layout.shapes ?? []).map((shape) => ({ ...shape, ...moved(shape, "x0", "x1") }));
  layout.annotations = (layout.annotations ?? []).map((note) => ({ ...note, ...moved(note, "x") }));
  return { layout, data: figure.data.map((trace) => ({ ...trace, x: trace.x.map(local) })) };
}

// The "Share chart" button of plotly.js sends a figure to its maker; there is no mode bar, so there is none.
const PLAIN = { displayModeBar: false, displaylogo: false, responsive: true, showSendToCloud: false, showEditInChartStudio: false };

function drawCharts(within) {
  if (!window.Plotly) return;
  for (const place of within.querySelectorAll("[data-figure]")) {
    const source = document.getElementById(place.dataset.figure);
    const drawn = `${source?.textContent.length} ${root.dataset.theme} ${isLocal()}`;
    if (!source || place.dataset.drawn === drawn) continue;
    const figure = clocked(JSON.parse(source.textContent));
    Plotly.react(place, figure.data.map(dressed), themed(figure.layout), PLAIN).then(() => {
      place.dispatchEvent(new Event("slicewatch:drawn"));
      place.dataset.ready = "true";
    });
    place.dataset.drawn = drawn;
  }
}

// --- tables: on a phone each cell stands under the head of its column, and a table stays one for those who hear it -----------------

const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TH: "columnheader", TD: "cell" };

function nameCells(within) {
  for (const table of within.querySelectorAll(".wide > table:not(.heat, .shares, .rowed)")) {
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    for (const part of [table, ...table.querySelectorAll("*")]) if (ROLES[part.tagName]) part.setAttribute("role", ROLES[part.tagName]);
    for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, i) => { if (heads[i]) cell.dataset.head = heads[i]; });
    table.classList.add("rowed");
  }
}

// --- everything that a page, or a part put into one, needs --------------------------------------------------------

function dress(within) { nameCells(within); showTimes(within); drawCharts(within); }

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-clock]")) {
    localStorage.setItem("slicewatch-clock", isLocal() ? "utc" : "local");
    dress(document);
  } else if (event.target.closest("[data-theme-switch]")) {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("slicewatch-theme", root.dataset.theme);
    drawCharts(document);
  }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
document.addEventListener("htmx:after:swap", () => dress(document));
document.addEventListener("htmx:config:request", (event) => {
  const headers = event.detail?.ctx?.request?.headers;
  if (headers) headers["X-CSRF-Token"] = document.querySelector("meta[name=csrf]").content;
});
dress(document);
