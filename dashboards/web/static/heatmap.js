"use strict";
// The heatmap: each row's cells on a canvas of its own; a cell's numbers where somebody points or moves to it.

(() => {
  const WIDE = 8, HIGH = 16, STRONGEST = 6;
  const source = document.getElementById("cells");
  if (!source) return;
  const { starts, rows } = JSON.parse(source.textContent);
  const tip = document.getElementById("cell");
  const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
  let colours;

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    colours = Object.fromEntries(["less", "more", "paper", "unknown", "unknown-ground"].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
  }

  // In standard deviations, as the server's CSV says it.
  function deviation(row, at) {
    const y = row.o[at], mu = row.e[at];
    return y === null ? null : (y - mu) / Math.sqrt(Math.max(mu + row.a * mu * mu, 1));
  }

  function paint(pen, x, wide, off) {
    pen.globalAlpha = 1;
    if (off === null) {
      pen.fillStyle = colours["unknown-ground"];
      pen.fillRect(x, 0, wide, HIGH);
      pen.strokeStyle = colours.unknown;
      pen.beginPath();
      for (const down of [0, HIGH / 2]) { pen.moveTo(x, down + HIGH / 2); pen.lineTo(x + wide, down); }
      pen.stroke();
      return;
    }
    // Up to one deviation nothing shows: most cells are noise.
    pen.globalAlpha = Math.min(1, Math.max(0, (Math.abs(off) - 1) / (STRONGEST - 1)));
    pen.fillStyle = off < 0 ? colours.less : colours.more;
    pen.fillRect(x, 0, wide, HIGH);
  }

  function draw(canvas) {
    const row = rows[Number(canvas.dataset.row)];
    canvas.width = row.o.length * WIDE;
    canvas.height = HIGH;
    const pen = canvas.getContext("2d");
    row.o.forEach((_, at) => paint(pen, at * WIDE, WIDE, deviation(row, at)));
  }

  function drawAll() {
    readColours();
    document.querySelectorAll("canvas.cells").forEach(draw);
    const scale = document.querySelector("canvas.scale"), hidden = document.querySelector("canvas.scale.unknown");
    const pen = scale.getContext("2d");
    pen.clearRect(0, 0, scale.width, scale.height);
    for (let at = 0; at < 21; at++) paint(pen, at * 10, 10, ((at - 10) / 10) * STRONGEST);
    paint(hidden.getContext("2d"), 0, 14, null);
  }

  function clock(text) {
    if (localStorage.getItem("slicewatch-clock") !== "local") return `${text} UTC`;
    return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(`${text.replace(" ", "T")}Z`));
  }

  function words(row, at) {
    if (row.o[at] === null) return `${clock(starts[at])}: unknown, ${number.format(row.e[at])} expected`;
    const change = row.e[at] > 0 ? ` (${row.o[at] >= row.e[at] ? "+" : ""}${Math.round((row.o[at] / row.e[at] - 1) * 100)} %)` : "";
    return `${clock(starts[at])}: ${number.format(row.o[at])}, ${number.format(row.e[at])} expected${change}`;
  }

  function show(canvas, at) {
    const box = canvas.getBoundingClientRect(), row = rows[Number(canvas.dataset.row)];
    canvas.dataset.at = at;
    tip.textContent = words(row, at);
    tip.hidden = false;
    const wide = tip.getBoundingClientRect().width;
    const x = box.left + (at + 0.5) * box.width / row.o.length - wide / 2;
    tip.style.left = `${Math.min(Math.max(x, 4), innerWidth - wide - 4)}px`;
    tip.style.top = `${box.top - 34 > 0 ? box.top - 34 : box.bottom + 6}px`;
  }

  const canvasOf = (event) => event.target.closest?.("canvas.cells");
  document.addEventListener("pointermove", (event) => {
    const canvas = canvasOf(event);
    if (!canvas) { if (!document.activeElement?.matches("canvas.cells")) tip.hidden = true; return; }
    const box = canvas.getBoundingClientRect(), count = starts.length;
    show(canvas, Math.min(count - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * count))));
  });
  document.addEventListener("focusin", (event) => {
    const canvas = canvasOf(event);
    if (canvas) show(canvas, Number(canvas.dataset.at ?? starts.length - 1));
  });
  document.addEventListener("focusout", () => { tip.hidden = true; });
  document.addEventListener("scroll", () => { tip.hidden = true; }, true);
  document.addEventListener("keydown", (event) => {
    const canvas = canvasOf(event);
    if (!canvas) return;
    const at = Number(canvas.dataset.at ?? starts.length - 1), row = Number(canvas.dataset.row);
    const sideways = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: starts.length - 1 }[event.key];
    const upright = { ArrowUp: row - 1, ArrowDown: row + 1 }[event.key];
    if (sideways !== undefined && sideways >= 0 && sideways < starts.length) show(canvas, sideways);
    const next = upright === undefined ? null : document.querySelector(`canvas.cells[data-row="${upright}"]`);
    if (next) { next.dataset.at = at; canvas.tabIndex = -1; next.tabIndex = 0; next.focus(); }
    if (sideways !== undefined || upright !== undefined) event.preventDefault();
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-theme-switch]")) drawAll(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
  // Where not all of it fits, what is newest is seen first.
  const wide = document.querySelector("table.heat").parentElement;
  wide.scrollLeft = wide.scrollWidth;
})();
