// The drawer for the selected object: its headline, its state, the last day as a small line, the way to its page.

import { ageOf, say } from "../words.js";

const WIDTH = 268;
const HEIGHT = 72;

export class Drawer {
  constructor(element, onClose) {
    this.element = element;
    this.shown = null;
    element.querySelector("[data-close]").addEventListener("click", onClose);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.shown) onClose();
    });
  }

  // `at`: a moment of the past that is shown; null: now.
  show(properties, at = null) {
    const isNew = this.shown !== properties.id || this.at !== at;
    this.shown = properties.id;
    this.at = at;
    this.slot("name").textContent = properties.name;
    this.slot("kind").textContent = properties.where;
    this.slot("value").textContent = properties.value;
    this.slot("measured").textContent = measured(properties);
    this.slot("state").replaceChildren(...(properties.attribute ? [badge(properties.state)] : []));
    this.slot("link").href = `/console/entities/${encodeURIComponent(properties.id)}`;
    this.slot("chart").hidden = !properties.attribute || at !== null;
    this.element.hidden = false;
    if (isNew) this.draw(properties.id, properties.attribute, at);
  }

  hide() {
    this.shown = null;
    this.element.hidden = true;
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  slot(name) {
    return this.element.querySelector(`[data-slot="${name}"]`);
  }

  async draw(id, attribute, at) {
    const frame = this.slot("chart");
    frame.replaceChildren();
    if (!attribute || at !== null) return;
    const query = new URLSearchParams({ attr: attribute, range: "24h" });
    const answer = await fetch(`/console/entities/${encodeURIComponent(id)}/series.json?${query}`);
    if (!answer.ok || this.shown !== id) return;
    frame.replaceChildren(sparkline(await answer.json()));
  }
}

function measured({ attribute, at, stored }) {
  if (!attribute) return say("no_measure");
  if (at === null) return ageOf(null);
  return stored ? say("undated", { age: ageOf(at) }) : say("measured", { age: ageOf(at) });
}

function badge(state) {
  const shape = document.querySelector(`#states [data-state="${state}"]`);
  return shape ? shape.cloneNode(true) : document.createTextNode(say(`state_${state}`));
}

function sparkline(series) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  drawing.setAttribute("class", "sparkline");
  const values = series.v.filter((value) => value !== null);
  if (values.length < 2) return drawing;
  const limits = [series.warn, series.bad].filter((limit) => limit !== null && limit <= Math.max(...values) * 1.6);
  const low = Math.min(...values, series.share ? 0 : Infinity);
  const high = Math.max(...values, ...limits, low + 1e-9);
  const x = (time) => ((time - series.from) / (series.to - series.from)) * WIDTH;
  const y = (value) => HEIGHT - 4 - ((value - low) / (high - low)) * (HEIGHT - 8);
  if (series.warn !== null && limits.includes(series.warn)) drawing.append(path("limit", `M0 ${y(series.warn)}H${WIDTH}`));
  let pen = "M";
  const steps = series.t.map((time, index) => {
    if (series.v[index] === null) {
      pen = "M";
      return "";
    }
    const step = `${pen}${x(time).toFixed(1)} ${y(series.v[index]).toFixed(1)}`;
    pen = "L";
    return step;
  });
  drawing.append(path("line", steps.join("")));
  return drawing;
}

function path(name, commands) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
  element.setAttribute("class", name);
  element.setAttribute("d", commands);
  return element;
}
