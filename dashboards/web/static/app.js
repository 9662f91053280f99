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
  return made;
}

// The "Share chart" button of plotly.js sends a figure to its maker; there is no mode bar, so there is none.
const PLAIN = { displayModeBar: false, displaylogo: false, responsive: true, showSendToCloud: false, showEditInChartStudio: false };

function drawCharts(within) {
  if (!window.Plotly) return;
  for (const place of within.querySelectorAll("[data-figure]")) {
    const source = document.getElementById(place.dataset.figure);
    if (!source || place.dataset.drawn === source.textContent.length + root.dataset.theme) continue;
    const figure = JSON.parse(source.textContent);
    Plotly.react(place, figure.data, themed(figure.layout), PLAIN).then(() => { place.dataset.ready = "true"; });
    place.dataset.drawn = source.textContent.length + root.dataset.theme;
  }
}

// --- everything that a page, or a part put into one, needs --------------------------------------------------------

function dress(within) { showTimes(within); drawCharts(within); }

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-clock]")) {
    localStorage.setItem("slicewatch-clock", isLocal() ? "utc" : "local");
    showTimes(document);
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
