// One question, one series: gaps as gaps, thresholds as lines, the same numbers as a table.

import { colour } from "./map/ground.js";
import { gap, language, MINUS, moment, number, say, timeZone } from "./words.js";

const HEIGHT = 256;
const TABLE_ROWS = 500;
const ADDED_TO = ["1h", "24h"];

export class Chart {
  constructor(figure) {
    this.figure = figure;
    this.plot = figure.querySelector("[data-plot]");
    this.attribute = figure.dataset.attribute;
    this.range = figure.dataset.range;
    this.drawing = null;
    figure.querySelector("[data-choose-attribute]")?.addEventListener("change", (event) => {
      this.attribute = event.target.value;
      this.remember();
      this.load();
    });
    for (const button of figure.querySelectorAll("[data-choose-range]")) {
      button.addEventListener("click", () => this.choose(button));
    }
    figure.querySelector("[data-download='png']").addEventListener("click", () => this.save());
    new ResizeObserver(() => this.drawing?.setSize(this.size())).observe(this.plot);
  }

  choose(button) {
    this.range = button.dataset.chooseRange;
    for (const one of this.figure.querySelectorAll("[data-choose-range]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    this.remember();
    this.load();
  }

  remember() {
    const query = new URLSearchParams(location.search);
    query.set("attr", this.attribute);
    query.set("range", this.range);
    history.replaceState(null, "", `?${query}`);
  }

  async load() {
    for (const one of this.figure.querySelectorAll("[data-quality-of]")) one.hidden = one.dataset.qualityOf !== this.attribute;
    const query = new URLSearchParams({ attr: this.attribute, range: this.range });
    const csv = this.figure.querySelector("[data-download='csv']");
    csv.href = `${csv.dataset.source}?${query}`;
    try {
      const answer = await fetch(`${this.figure.dataset.chart}?${query}`);
      if (!answer.ok) throw new Error(String(answer.status));
      this.show(await answer.json());
    } catch (error) {
      this.tell(say("chart_failed"), "");
      console.warn(error);
    }
  }

  show(series) {
    this.series = series;
    this.figure.querySelector("[data-note]").textContent = series.note;
    this.figure.querySelector("h2").textContent = series.question;
    this.plot.setAttribute("aria-label", series.question);
    this.fillTable();
    if (!series.v.some((value) => value !== null)) {
      this.tell(say("chart_empty"), say("chart_empty_next"));
      return;
    }
    this.drawing?.destroy();
    this.plot.replaceChildren();
    this.drawing = new window.uPlot(this.options(), this.columns(), this.plot);
    this.figure.dataset.drawn = `${this.attribute} ${this.range}`;
  }

  add(time, value) {
    if (!this.series || !ADDED_TO.includes(this.range) || this.series.low.length || this.series.t.at(-1) >= time) return;
    this.series.t.push(time);
    this.series.v.push(value);
    this.series.to = Math.max(this.series.to, time);
    if (!this.drawing) {
      this.show(this.series);
      return;
    }
    const isZoomed = this.drawing.scales.x.min > this.series.from + 1;
    this.drawing.setData(this.columns(), !isZoomed);
    this.fillTable();
  }

  tell(title, text) {
    this.drawing?.destroy();
    this.drawing = null;
    const notice = document.createElement("div");
    notice.className = "notice empty";
    const body = document.createElement("div");
    body.append(paragraph(title, "title"), paragraph(text, ""));
    notice.append(body);
    this.plot.replaceChildren(notice);
    delete this.figure.dataset.drawn;
  }

  columns() {
    const { t, v, low, high } = this.series;
    return low.length ? [t, v, high, low] : [t, v];
  }

  size() {
    const style = getComputedStyle(this.plot);
    return { width: this.plot.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight), height: HEIGHT };
  }

  options() {
    const series = this.series;
    const [ink, line, accent] = [colour("--ink-2"), colour("--line"), colour("--accent")];
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const isWord = series.categories.length > 0;
    const draw = { label: series.label, stroke: accent, width: 2, points: { show: series.t.length < 60, size: 5 } };
    if (isWord) draw.paths = window.uPlot.paths.stepped({ align: 1 });
    const envelope = { stroke: "transparent", points: { show: false } };
    return {
      ...this.size(),
      legend: { show: false },
      tzDate: (time) => window.uPlot.tzDate(new Date(time * 1000), timeZone),
      cursor: { drag: { x: true, y: false }, points: { size: 8 } },
      scales: { x: { time: true, range: (_, low, high) => this.span(low, high) }, y: { range: (_, low, high) => this.reach(low, high) } },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { stroke: line, size: 5 }, size: 34, values: (_, at) => timeLabels(at), space: 70 },
        { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: isWord ? 84 : 68, ...this.marks() },
      ],
      series: series.low.length ? [{}, draw, { ...envelope, label: say("high") }, { ...envelope, label: say("low") }] : [{}, draw],
      bands: series.low.length ? [{ series: [2, 3], fill: fade(accent) }] : [],
      hooks: { draw: [(plot) => this.drawLimits(plot)], setCursor: [(plot) => this.point(plot)] },
      plugins: [],
    };
  }

  span(low, high) {
    const isWhole = low <= this.series.t[0] && high >= this.series.t.at(-1);
    return isWhole ? [this.series.from, this.series.to] : [low, high];
  }

  reach(low, high) {
    const { categories, share, warn, bad } = this.series;
    if (categories.length) return [-0.25, categories.length - 0.75];
    if (share) return [0, Math.max(100, high)];
    const limits = [warn, bad].filter((limit) => limit !== null && limit < high * 3);
    const [bottom, top] = [Math.min(low, ...limits), Math.max(high, ...limits)];
    const margin = (top - bottom || Math.abs(top) || 1) * 0.12;
    return [low >= 0 && bottom - margin < 0 ? 0 : bottom - margin, top + margin];
  }

  marks() {
    const { categories, unit } = this.series;
    if (!categories.length) return { values: (_, ticks) => ticks.map((tick, index) => label(tick, index, ticks, unit)) };
    return { splits: () => categories.map((_, index) => index), values: () => categories };
  }

  drawLimits(plot) {
    const { ctx } = plot;
    for (const [name, limit] of [["warn", this.series.warn], ["bad", this.series.bad]]) {
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

  point(plot) {
    const note = this.figure.querySelector("[data-note]");
    const index = plot.cursor.idx;
    const value = index === null || index === undefined ? null : this.series.v[index];
    note.textContent =
      value === null || value === undefined ? this.series.note : `${moment(this.series.t[index] * 1000)} : ${this.text(value)}`;
  }

  text(value) {
    const word = this.series.categories[value];
    return word ?? `${number(value)}${this.series.unit ? gap(this.series.unit) + this.series.unit : ""}`;
  }

  fillTable() {
    const { t, v, label: name, unit } = this.series;
    this.figure.querySelector("[data-value-title]").textContent = unit ? `${name} (${unit})` : name;
    const rows = [];
    for (let index = t.length - 1; index >= 0 && rows.length < TABLE_ROWS; index -= 1) {
      if (v[index] === null) continue;
      const row = document.createElement("tr");
      const [time, value] = [document.createElement("td"), document.createElement("td")];
      time.textContent = moment(t[index] * 1000);
      value.textContent = this.series.categories[v[index]] ?? number(v[index]);
      value.className = "number";
      row.append(time, value);
      rows.push(row);
    }
    this.figure.querySelector("[data-rows]").replaceChildren(...rows);
  }

  save() {
    const source = this.plot.querySelector("canvas");
    if (!source) return;
    const title = 36 * devicePixelRatio;
    const image = document.createElement("canvas");
    image.width = source.width;
    image.height = source.height + title;
    const ctx = image.getContext("2d");
    ctx.fillStyle = colour("--surface");
    ctx.fillRect(0, 0, image.width, image.height);
    ctx.fillStyle = colour("--ink");
    ctx.font = `600 ${15 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.fillText(`${document.querySelector("h1").textContent}, ${this.series.label}`, 12 * devicePixelRatio, title * 0.65);
    ctx.drawImage(source, 0, title);
    const link = document.createElement("a");
    link.download = `${this.attribute}.png`;
    link.href = image.toDataURL("image/png");
    link.click();
  }
}

function paragraph(text, name) {
  const element = document.createElement("p");
  element.className = name;
  element.textContent = text;
  return element;
}

function label(tick, index, ticks, unit) {
  const decimals = decimalsOf(ticks);
  const text = tick.toLocaleString(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace("-", MINUS);
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

function timeLabels(times) {
  const isDaily = times.length > 1 && times[1] - times[0] >= 86_400;
  const hours = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
  const days = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { day: "numeric", month: "short", timeZone });
  return times.map((time) => {
    const at = new Date(time * 1000);
    const hour = hours.format(at);
    return isDaily || hour === "00:00" ? days.format(at) : hour;
  });
}

function fade(value) {
  return value.replace("rgb(", "rgba(").replace(")", ", 0.16)");
}
