// What stands beside the lines of a chart: marks of axes, colours, limits, notices.

import { colour } from "./map/ground.js";
import { gap, language, MINUS, say, timeZone } from "./words.js";

// One after the other, with a dash each, so that they differ without colours too.
const HUES = ["--accent", "--energy", "--waste", "--mobility", "--air"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 6]];

export function stroke(index) {
  return { stroke: colour(HUES[index % HUES.length]), dash: DASHES[index % DASHES.length] };
}

export function paragraph(text, name) {
  const element = document.createElement("p");
  element.className = name;
  element.textContent = text;
  return element;
}

export function label(tick, index, ticks, unit) {
  const decimals = decimalsOf(ticks);
  const text = tick.toLocaleString(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals, signDisplay: "negative" }).replace("-", MINUS);
  return index === ticks.length - 1 && unit ? `${text}${gap(unit)}${unit}` : text;
}

// As many as tell two neighbouring ticks apart.
function decimalsOf(ticks) {
  const step = Math.min(...ticks.slice(1).map((tick, index) => tick - ticks[index]));
  if (!Number.isFinite(step) || step <= 0) return 0;
  let decimals = 0;
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return decimals;
}

export function timeLabels(times) {
  const isDaily = times.length > 1 && times[1] - times[0] >= 86_400;
  const hours = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
  const days = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { day: "numeric", month: "short", timeZone });
  return times.map((time) => {
    const at = new Date(time * 1000);
    const hour = hours.format(at);
    return isDaily || hour === "00:00" ? days.format(at) : hour;
  });
}

export function fade(value) {
  return value.replace("rgb(", "rgba(").replace(")", ", 0.16)");
}

export function drawLimits(plot, limits) {
  const { ctx } = plot;
  for (const [name, limit] of limits) {
    if (limit === null || limit < plot.scales.y.min || limit > plot.scales.y.max) continue;
    const y = Math.round(plot.valToPos(limit, "y", true));
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour(`--${name}`);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(plot.bbox.left, y);
    ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
    ctx.stroke();
    ctx.font = `${12 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    ctx.fillText(say(`${name}_line`), plot.bbox.left + 6 * devicePixelRatio, y - 2);
    ctx.restore();
  }
}
