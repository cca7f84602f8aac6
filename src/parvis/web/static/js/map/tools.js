// The panels over the map: layers, zones, measuring.

import { number, say } from "../words.js";
import { area, areaText, length, lengthText } from "./geodesy.js";
import { EMPTY, STATES } from "./layers.js";
import { Sketch, sayCorners } from "./sketch.js";

const NONE = "–";
const OF_ZONE = ["zone", "area"];

export class Tools {
  // `form` is the filter's, `query()` what it says, `apply` asks for the filtered objects anew.
  constructor(element, form, { apply, query, speak }) {
    this.element = element;
    this.form = form;
    this.apply = apply;
    this.query = query;
    this.speak = speak;
    this.sketch = null;
    this.zone = null;
    this.panel("zone").addEventListener("toggle", () => this.leave("zone"));
    this.panel("measure").addEventListener("toggle", () => this.toggleMeasure());
    this.find("[data-sketch='zone']").addEventListener("click", () => this.drawZone());
    this.find("[data-zone-clear]").addEventListener("click", () => this.setZone("", ""));
    for (const panel of [this.panel("zone"), this.panel("measure")]) this.listenToButtons(panel);
    for (const form of element.querySelectorAll("form")) form.addEventListener("submit", () => this.carryFilter(form));
    element.addEventListener("keydown", (event) => event.key === "Escape" && this.closePanels(event));
  }

  // A zone is kept, or removed, without leaving the filter.
  carryFilter(form) {
    for (const field of form.querySelectorAll("[data-carried]")) field.remove();
    for (const [name, value] of this.query()) {
      if (OF_ZONE.includes(name)) continue;
      const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      field.dataset.carried = "";
      form.append(field);
    }
  }

  attach(map) {
    this.map = map;
    this.sketch = new Sketch(map);
    this.showZone(this.zone);
    if (this.panel("measure").open) this.toggleMeasure();
  }

  get isSketching() {
    return Boolean(this.sketch?.isOn);
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  panel(name) {
    return this.find(`[data-tool="${name}"]`);
  }

  listenToButtons(panel) {
    panel.querySelector("[data-sketch-add]").addEventListener("click", () => this.sketch?.addAtCross());
    panel.querySelector("[data-sketch-undo]").addEventListener("click", () => this.sketch?.undo());
    panel.querySelector("[data-sketch-done]").addEventListener("click", () => this.sketch?.finish());
  }

  closePanels(event) {
    const open = this.find("details[open]");
    if (!open) return;
    event.stopPropagation();
    open.open = false;
    open.querySelector("summary").focus();
  }

  leave(name) {
    if (!this.panel(name).open && this.isSketching) this.end(name);
  }

  end(name) {
    this.sketch?.clear();
    this.showButtons(name, false);
  }

  showButtons(name, isOn) {
    this.panel(name).querySelector("[data-sketching]").hidden = !isOn;
  }

  start(name, handlers) {
    if (!this.sketch) return;
    this.sketch.start(handlers);
    this.showButtons(name, true);
    this.speak(say("map.cross"));
  }

  drawZone() {
    this.start("zone", {
      isClosed: true,
      onChange: (corners) => this.speak(sayCorners(corners)),
      onDone: (corners) => {
        this.end("zone");
        if (corners.length < 3) this.speak(say("map.zone_too_small"));
        else this.setZone("drawn", corners.flat().join(","));
      },
    });
  }

  toggleMeasure() {
    if (!this.panel("measure").open) {
      this.end("measure");
      this.showMeasured([]);
      return;
    }
    this.start("measure", {
      isClosed: false,
      onChange: (corners) => {
        this.showMeasured(corners);
        this.speak(corners.length > 1 ? lengthText(length(corners)) : sayCorners(corners));
      },
      onDone: (corners) => {
        this.showButtons("measure", false);
        this.showMeasured(corners);
      },
    });
  }

  showMeasured(corners) {
    this.find("[data-measured='length']").textContent = corners.length > 1 ? lengthText(length(corners)) : NONE;
    this.find("[data-measured='area']").textContent = corners.length > 2 ? areaText(area(corners)) : NONE;
  }

  async setZone(zone, corners) {
    const choice = this.form.zone;
    if (zone === "drawn" && ![...choice.options].some((option) => option.value === zone)) {
      choice.add(new Option(say("map.in_drawn"), zone), 1);
    }
    choice.value = zone;
    this.form.area.value = corners;
    await this.apply();
    if (zone && choice.value === zone) this.speak(say("map.zone_ready"));
  }

  // One that is not there any more is not offered any more.
  dropZone() {
    const choice = this.form.zone;
    [...choice.options].find((option) => option.value && option.value === choice.value)?.remove();
    choice.value = "";
    this.form.area.value = "";
  }

  // What the server took for the filter's zone: its outline, and which of the panel's forms make sense.
  showZone(zone) {
    this.zone = zone;
    const { zone: choice, area: corners } = this.form;
    choice.closest(".zone-choice").hidden = choice.options.length < 2;
    this.find("[data-zone-clear]").hidden = !choice.value;
    const keep = this.find("[data-zone-keep]");
    if (keep) {
      keep.hidden = choice.value !== "drawn";
      keep.elements.area.value = corners.value;
      this.find("[data-zone-forget]").hidden = !choice.value.startsWith("urn:ngsi-ld:Zone:");
      this.find("[data-zone-forget]").elements.zone.value = choice.value;
    }
    this.map?.getSource("zone").setData(zone ? { type: "Feature", geometry: zone, properties: {} } : EMPTY);
  }

  // How many there are of the domains that are shown, and how the worst of them is.
  recount(objects, domains) {
    const counts = new Map(domains.map((domain) => [domain, { domain, n: 0, rank: 0 }]));
    for (const { properties } of objects) {
      const count = counts.get(properties.domain);
      if (!count) continue;
      count.n += 1;
      count.rank = Math.max(count.rank, properties.rank);
    }
    this.showLayers([...counts.values()].map(({ domain, n, rank }) => ({ domain, n, worst: STATES[rank] })));
  }

  showLayers(layers) {
    for (const { domain, n, worst } of layers) {
      const row = this.find(`[data-layer="${domain}"]`);
      if (!row) continue;
      row.querySelector("[data-count]").textContent = number(n);
      row.querySelector("use").setAttribute("href", `#marker-${domain}-${worst}`);
    }
  }
}
