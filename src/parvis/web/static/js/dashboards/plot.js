// The curves of a dashboard: drawn once by the server, and here again so that one can look closer.

import { colour } from "../map/ground.js";
import { gap, language, MINUS, moment, number, say, timeZone } from "../words.js";

const HEIGHTS = { h1: 200, h2: 370, h3: 540 };
const LINES = [
  ["--accent", []],
  ["--waste", [8, 3]],
  ["--mobility", [2, 3]],
  ["--energy", [12, 3, 2, 3]],
  ["--ink-2", [4, 4]],
];
const BEFORE_DASH = [3, 4];
const drawn = new Map();

export function drawPlots(within) {
  for (const plot of within.querySelectorAll("[data-plot]:not(.drawn)")) draw(plot);
}

// Those of a part of the page that is about to be replaced: a drawing listens to the window, and would stay for ever.
export function dropPlots(within) {
  for (const [plot, { drawing, watching }] of drawn) {
    if (!within.contains(plot)) continue;
    watching.disconnect();
    drawing.destroy();
    drawn.delete(plot);
  }
}

function draw(plot) {
  const source = plot.querySelector("[data-columns]");
  if (!source || !window.uPlot || !plot.clientWidth) return;
  const data = JSON.parse(source.textContent);
  const note = plot.parentElement.querySelector("[data-note]");
  const resting = note?.textContent;
  plot.classList.add("drawn");
  const show = (drawing) => {
    if (!note) return;
    const at = drawing.cursor.idx;
    note.textContent = at === null || at === undefined ? resting : told(data, at);
  };
  const drawing = new window.uPlot(options(plot, data, show), columnsOf(data), plot);
  const watching = new ResizeObserver(() => plot.clientWidth && drawing.setSize(sizeOf(plot)));
  watching.observe(plot);
  drawn.set(plot, { drawing, watching });
}

function columnsOf(data) {
  return [data.t, ...data.series.map(({ v }) => v), ...data.series.filter(({ before }) => before.length).map(({ before }) => before)];
}

function sizeOf(plot) {
  const height = plot.closest(".cell")?.className.match(/\bh\d\b/)?.[0] ?? "h1";
  return { width: plot.clientWidth, height: HEIGHTS[height] };
}

function options(plot, data, show) {
  const [ink, line] = [colour("--ink-2"), colour("--line")];
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const now = data.series.map(({ label }, index) => ({ label, stroke: colour(LINES[index][0]), dash: LINES[index][1], width: 2, points: { show: false } }));
  const before = data.series.flatMap((one, index) =>
    one.before.length ? [{ stroke: colour(LINES[index][0]), dash: BEFORE_DASH, width: 1, alpha: 0.6, points: { show: false } }] : [],
  );
  return {
    ...sizeOf(plot),
    legend: { show: false },
    tzDate: (time) => window.uPlot.tzDate(new Date(time * 1000), timeZone),
    cursor: { drag: { x: true, y: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: [data.low, data.high] } },
    axes: [
      { stroke: ink, font, grid: { show: false }, ticks: { stroke: line, size: 4 }, size: 30, values: (_, at) => timesTold(at), space: 64 },
      { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 78, values: (_, ticks) => ticks.map((one, index) => valueTold(one, index === ticks.length - 1 ? data.unit : "")) },
    ],
    series: [{}, ...now, ...before],
    hooks: { draw: [(drawing) => drawLimits(drawing, data.limits)], setCursor: [show] },
  };
}

function drawLimits(drawing, limits) {
  const { ctx } = drawing;
  for (const [name, limit] of Object.entries(limits)) {
    if (limit < drawing.scales.y.min || limit > drawing.scales.y.max) continue;
    const y = Math.round(drawing.valToPos(limit, "y", true));
    ctx.save();
    ctx.strokeStyle = colour(`--${name}`);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(drawing.bbox.left, y);
    ctx.lineTo(drawing.bbox.left + drawing.bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

function told(data, at) {
  const values = data.series.filter(({ v }) => v[at] !== null && v[at] !== undefined);
  const unit = data.unit ? gap(data.unit) + data.unit : "";
  const each = values.map(({ label, v }) => (data.series.length > 1 ? `${label} ${number(v[at])}${unit}` : `${number(v[at])}${unit}`));
  return say("labelled", { name: moment(data.t[at] * 1000, "medium"), text: each.join(", ") || "–" });
}

function valueTold(value, unit) {
  const text = value.toLocaleString(language, { maximumFractionDigits: 3, signDisplay: "negative" }).replace("-", MINUS);
  return unit ? `${text}${gap(unit)}${unit}` : text;
}

function timesTold(times) {
  const isDaily = times.length > 1 && times[1] - times[0] >= 86_400;
  const hours = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
  const days = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { day: "numeric", month: "short", timeZone });
  return times.map((time) => {
    const hour = hours.format(new Date(time * 1000));
    return isDaily || hour === "00:00" ? days.format(new Date(time * 1000)) : hour;
  });
}
