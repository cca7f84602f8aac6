// One question: a series, or up to five side by side, one plot for each unit; gaps as gaps, thresholds as lines, the same
// numbers as a table.

import { colour } from "./map/ground.js";
import { drawLimits, fade, label, paragraph, stroke, timeLabels } from "./chart_marks.js";
import { gap, moment, number, say, timeZone } from "./words.js";

const HEIGHT = 256;
const TABLE_ROWS = 500;
const ADDED_TO = ["1h", "24h"];

export class Chart {
  constructor(figure) {
    this.figure = figure;
    this.plot = figure.querySelector("[data-plot]");
    this.attribute = figure.dataset.attribute;
    this.range = figure.dataset.range;
    this.compared = JSON.parse(figure.dataset.compared ?? "[]");
    this.drawings = [];
    figure.querySelector("[data-choose-attribute]")?.addEventListener("change", (event) => {
      this.attribute = event.target.value;
      this.remember();
      this.load();
    });
    for (const button of figure.querySelectorAll("[data-choose-range]")) {
      button.addEventListener("click", () => this.choose(button));
    }
    figure.querySelector("[data-download='png']").addEventListener("click", () => this.save());
    new ResizeObserver(() => this.drawings.forEach((drawing) => drawing.setSize(this.size()))).observe(this.plot);
  }

  choose(button) {
    this.range = button.dataset.chooseRange;
    for (const one of this.figure.querySelectorAll("[data-choose-range]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    this.remember();
    this.load();
  }

  // Links and the form keep what is looked at.
  remember() {
    const chosen = { attr: this.attribute, range: this.range };
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(chosen)) query.set(name, value);
    history.replaceState(null, "", `?${query}`);
    for (const [name, value] of Object.entries(chosen)) {
      const field = this.figure.querySelector(`input[type=hidden][name=${name}]`);
      if (field) field.value = value;
    }
    for (const link of this.figure.querySelectorAll("[data-keeps]")) {
      const address = new URL(link.href);
      for (const [name, value] of Object.entries(chosen)) address.searchParams.set(name, value);
      link.href = address;
    }
  }

  async load() {
    for (const one of this.figure.querySelectorAll("[data-quality-of]")) one.hidden = one.dataset.qualityOf !== this.attribute;
    const query = new URLSearchParams({ attr: this.attribute, range: this.range });
    try {
      const asked = [`${this.figure.dataset.chart}?${query}`, ...this.compared.map((one) => `${one}&range=${this.range}`)];
      const [main, ...others] = await Promise.all(asked.map(ask));
      this.show(...tellApart(main, others.filter((one) => one !== null)));
    } catch (error) {
      this.tell(say("chart_failed"), "");
      console.warn(error);
    }
  }

  show(series, others = this.others) {
    this.series = series;
    this.others = others;
    this.figure.querySelector("[data-note]").textContent = series.note;
    this.figure.querySelector("h2").textContent = series.question;
    this.plot.setAttribute("aria-label", [series, ...others].map((one) => one.legend).join("; "));
    this.name();
    this.fillTable();
    if (![series, ...others].some((one) => one.v.some((value) => value !== null))) {
      this.tell(say("chart_empty"), say("chart_empty_next"));
      return;
    }
    this.clear();
    this.drawings = this.groups().map((group, index) => new window.uPlot(this.options(group, index), columns(group), this.plot));
    this.figure.dataset.drawn = `${this.attribute} ${this.range}`;
  }

  name() {
    const names = this.figure.querySelectorAll("[data-legend]");
    [this.series, ...this.others].forEach((one, index) => {
      const isEmpty = !one.v.some((value) => value !== null);
      if (names[index]) names[index].textContent = isEmpty ? `${one.legend} (${say("chart_no_values")})` : one.legend;
    });
  }

  // Those of one unit share a plot; words have one of their own.
  groups() {
    const groups = new Map();
    [this.series, ...this.others].forEach((one, index) => {
      const key = one.categories.length ? `words ${index}` : one.unit;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push({ ...one, index });
    });
    return [...groups.values()];
  }

  add(time, value) {
    if (!this.series || !ADDED_TO.includes(this.range) || this.series.low.length || this.series.t.at(-1) >= time) return;
    this.series.t.push(time);
    this.series.v.push(value);
    this.series.to = Math.max(this.series.to, time);
    if (!this.drawings.length) {
      this.show(this.series);
      return;
    }
    const isZoomed = this.drawings[0].scales.x.min > this.series.from + 1;
    this.drawings[0].setData(columns(this.groups()[0]), !isZoomed);
    this.fillTable();
  }

  clear() {
    for (const drawing of this.drawings) drawing.destroy();
    this.drawings = [];
    this.plot.replaceChildren();
  }

  tell(title, text) {
    this.clear();
    const notice = document.createElement("div");
    notice.className = "notice empty";
    const body = document.createElement("div");
    body.append(paragraph(title, "title"), paragraph(text, ""));
    notice.append(body);
    this.plot.replaceChildren(notice);
    delete this.figure.dataset.drawn;
  }

  size() {
    const style = getComputedStyle(this.plot);
    return { width: this.plot.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight), height: HEIGHT };
  }

  options(group, place) {
    const first = group[0];
    const [ink, line] = [colour("--ink-2"), colour("--line")];
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const isWord = first.categories.length > 0;
    const hasBand = group.length === 1 && first.low.length > 0;
    const envelope = { stroke: "transparent", points: { show: false } };
    const limits = place || this.others.length > 3 ? [] : [["warn", this.series.warn], ["bad", this.series.bad]];
    return {
      ...this.size(),
      legend: { show: false },
      tzDate: (time) => window.uPlot.tzDate(new Date(time * 1000), timeZone),
      cursor: { drag: { x: true, y: false }, points: { size: 8 }, sync: { key: this.figure.dataset.chart } },
      scales: { x: { time: true, range: (plot, low, high) => this.span(plot, low, high) }, y: { range: (_, low, high) => reach(first, limits, low, high) } },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { stroke: line, size: 5 }, size: 34, values: (_, at) => timeLabels(at), space: 70 },
        { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: isWord ? 84 : 68, ...marks(first) },
      ],
      series: [{}, ...group.map((one) => drawn(one)), ...(hasBand ? [{ ...envelope, label: say("high") }, { ...envelope, label: say("low") }] : [])],
      bands: hasBand ? [{ series: [2, 3], fill: fade(stroke(first.index).stroke) }] : [],
      hooks: { draw: [(plot) => drawLimits(plot, limits)], setCursor: [(plot) => this.point(plot, group)] },
      plugins: [],
    };
  }

  span(plot, low, high) {
    const times = plot.data[0];
    const isWhole = low <= times[0] && high >= times.at(-1);
    return isWhole ? [this.series.from, this.series.to] : [low, high];
  }

  point(plot, group) {
    const note = this.figure.querySelector("[data-note]");
    const index = plot.cursor.idx;
    if (index === null || index === undefined) {
      note.textContent = this.series.note;
      return;
    }
    const said = group.flatMap((one, place) => {
      const value = plot.data[place + 1][index];
      if (value === null || value === undefined) return [];
      return group.length > 1 ? [`${one.legend} ${text(one, value)}`] : [text(one, value)];
    });
    if (said.length) note.textContent = say("labelled", { name: moment(plot.data[0][index] * 1000), text: said.join(" · ") });
  }

  fillTable() {
    const all = [this.series, ...this.others];
    const head = this.figure.querySelector("[data-value-title]").parentElement;
    const titles = all.map((one) => {
      const title = document.createElement("th");
      title.scope = "col";
      title.className = "number";
      title.dataset.valueTitle = "";
      const name = all.length > 1 ? one.legend : one.label;
      title.textContent = one.unit ? `${name} (${one.unit})` : name;
      return title;
    });
    head.replaceChildren(head.firstElementChild, ...titles);
    this.figure.querySelector("[data-rows]").replaceChildren(...tableRows(all));
  }

  save() {
    const sources = [...this.plot.querySelectorAll("canvas")];
    if (!sources.length) return;
    const title = 36 * devicePixelRatio;
    const image = document.createElement("canvas");
    image.width = sources[0].width;
    image.height = title + sources.reduce((height, one) => height + one.height, 0);
    const ctx = image.getContext("2d");
    ctx.fillStyle = colour("--surface");
    ctx.fillRect(0, 0, image.width, image.height);
    ctx.fillStyle = colour("--ink");
    ctx.font = `600 ${15 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.fillText(`${document.querySelector("h1").textContent}, ${this.series.label}`, 12 * devicePixelRatio, title * 0.65);
    let top = title;
    for (const one of sources) {
      ctx.drawImage(one, 0, top);
      top += one.height;
    }
    const link = document.createElement("a");
    link.download = `${this.attribute}.png`;
    link.href = image.toDataURL("image/png");
    link.click();
  }
}

// What is compared may be gone, or not to be read by this visitor: the rest is drawn all the same.
async function ask(address, index) {
  const answer = await fetch(address);
  if (answer.ok) return answer.json();
  if (index > 0) return null;
  throw new Error(String(answer.status));
}

function columns(group) {
  if (group.length > 1) return window.uPlot.join(group.map((one) => [one.t, one.v]));
  const { t, v, low, high } = group[0];
  return low.length ? [t, v, high, low] : [t, v];
}

function drawn(one) {
  const draw = { label: one.legend, ...stroke(one.index), width: 2, points: { show: one.t.length < 60, size: 5 } };
  if (one.categories.length) draw.paths = window.uPlot.paths.stepped({ align: 1 });
  return draw;
}

function reach({ categories, share }, limits, low, high) {
  if (categories.length) return [-0.25, categories.length - 0.75];
  if (share) return [0, Math.max(100, high)];
  const near = limits.map(([, limit]) => limit).filter((limit) => limit !== null && limit < high * 3);
  const [bottom, top] = [Math.min(low, ...near), Math.max(high, ...near)];
  const margin = (top - bottom || Math.abs(top) || 1) * 0.12;
  return [low >= 0 && bottom - margin < 0 ? 0 : bottom - margin, top + margin];
}

function marks({ categories, unit }) {
  if (!categories.length) return { values: (_, ticks) => ticks.map((tick, index) => label(tick, index, ticks, unit)) };
  return { splits: () => categories.map((_, index) => index), values: () => categories };
}

function text(one, value) {
  return one.categories[value] ?? `${number(value, one.decimals ?? undefined)}${one.unit ? gap(one.unit) + one.unit : ""}`;
}

function tableRows(all) {
  const [times, ...values] = all.length > 1 ? window.uPlot.join(all.map((one) => [one.t, one.v])) : [all[0].t, all[0].v];
  const rows = [];
  for (let index = times.length - 1; index >= 0 && rows.length < TABLE_ROWS; index -= 1) {
    if (values.every((column) => column[index] === null || column[index] === undefined)) continue;
    const row = document.createElement("tr");
    const cells = values.map((column, place) => cell(column[index], all[place]));
    const time = document.createElement("td");
    time.textContent = moment(times[index] * 1000);
    row.append(time, ...cells);
    rows.push(row);
  }
  return rows;
}

function cell(value, one) {
  const element = document.createElement("td");
  element.className = "number";
  element.textContent = value === null || value === undefined ? "" : (one.categories[value] ?? number(value, one.decimals ?? undefined));
  return element;
}

// Series of one legend get what they differ in beside it: the commune, the term, or the object's identifier.
function tellApart(main, others) {
  const named = new Map();
  for (const one of [main, ...others]) named.set(one.legend, [...(named.get(one.legend) ?? []), one]);
  for (const twins of named.values()) {
    if (twins.length < 2) continue;
    const differs = main.apart.findIndex((_, at) => new Set(twins.map(({ apart }) => apart[at])).size === twins.length);
    const told = ({ apart }) => (differs < 0 ? apart.filter(Boolean).join(", ") : apart[differs]);
    for (const one of twins) one.legend = told(one) ? `${one.legend} (${told(one)})` : one.legend;
  }
  return [main, others];
}
