// The list that shows the same set as the map, row for row.

import { say, showAge } from "../words.js";

const FRESH_MS = 1_200;
const ROWS_AT_ONCE = 200;

export class ObjectList {
  constructor(list, template, onChoose) {
    this.list = list;
    this.template = template;
    this.all = [];
    this.rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
    this.shown = this.rows.size;
    list.addEventListener("click", (event) => {
      const row = event.target.closest("li[data-id]");
      if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      onChoose(row.dataset.id);
    });
  }

  // As many rows as one has scrolled to: the list is of all, like the map.
  show(all) {
    const known = this.rows;
    this.all = all;
    this.rows = new Map();
    const count = Math.max(ROWS_AT_ONCE, Math.min(this.shown, all.length));
    this.list.replaceChildren(...all.slice(0, count).map((feature) => this.rowOf(feature, known)));
    this.shown = this.list.children.length;
    return this.rest;
  }

  get rest() {
    return this.all.length - this.shown;
  }

  showMore() {
    const more = this.all.slice(this.shown, this.shown + ROWS_AT_ONCE).map((feature) => this.rowOf(feature, this.rows));
    this.list.append(...more);
    this.shown += more.length;
    return this.rest;
  }

  rowOf(feature, known) {
    const row = known.get(feature.id) ?? this.template.content.firstElementChild.cloneNode(true);
    this.fill(row, feature.properties);
    this.rows.set(feature.id, row);
    return row;
  }

  update(properties, isNews) {
    const row = this.rows.get(properties.id);
    if (!row) return;
    this.fill(row, properties);
    if (!isNews) return;
    row.classList.add("fresh");
    setTimeout(() => row.classList.remove("fresh"), FRESH_MS);
  }

  fill(row, properties) {
    const isSelected = row.classList.contains("selected");
    row.dataset.id = properties.id;
    row.className = properties.state;
    row.classList.toggle("selected", isSelected);
    row.querySelector("a").href = `/console/entities/${encodeURIComponent(properties.id)}`;
    row.querySelector("use").setAttribute("href", `#marker-${properties.glyph}-${properties.state}`);
    slot(row, "name", properties.name);
    slot(row, "where", properties.where);
    slot(row, "value", properties.value);
    slot(row, "state", `${say(`state_${properties.state}`)}, `);
    const age = row.querySelector(".age");
    if (properties.attribute) showAge(age, properties.at, properties.stored);
    else age.textContent = "";
  }

  select(id, { reveal = true } = {}) {
    for (const row of this.list.querySelectorAll("li.selected")) {
      row.classList.remove("selected");
      row.querySelector("a").removeAttribute("aria-current");
    }
    const row = id && this.find(id);
    if (!row) return;
    row.classList.add("selected");
    row.querySelector("a").setAttribute("aria-current", "true");
    if (reveal) row.scrollIntoView({ block: "nearest" });
  }

  focus(id) {
    this.find(id)?.querySelector("a").focus();
  }

  // A row further down than one has scrolled is made when it is asked for.
  find(id) {
    while (!this.rows.has(id) && this.rest > 0 && this.all.some((feature) => feature.id === id)) this.showMore();
    return this.rows.get(id);
  }
}

function slot(row, name, text) {
  const element = row.querySelector(`[data-slot="${name}"]`);
  if (element.textContent !== text) element.textContent = text;
}
