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
    this.apart = null;
    list.addEventListener("click", (event) => {
      const row = event.target.closest("li[data-id]");
      if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      onChoose(row.dataset.id, event.detail === 0);
    });
  }

  // As many rows as one has asked for; of another set (`isOther`) its first ones.
  show(all, { isOther = false } = {}) {
    const known = this.rows;
    const count = isOther ? ROWS_AT_ONCE : Math.max(ROWS_AT_ONCE, this.shown);
    this.all = all;
    this.rows = new Map();
    this.apart = null;
    this.put(all.slice(0, count).map((feature) => this.rowOf(feature, known)));
    this.shown = this.list.children.length;
    return this.rest;
  }

  // Rows that stand where they should stay untouched.
  put(rows) {
    rows.forEach((row, index) => {
      const there = this.list.children[index];
      if (there !== row) this.list.insertBefore(row, there ?? null);
    });
    while (this.list.children.length > rows.length) this.list.lastElementChild.remove();
  }

  get rest() {
    return this.all.length - this.shown;
  }

  showMore() {
    const more = this.all.slice(this.shown, this.shown + ROWS_AT_ONCE).map((feature) => this.rowOf(feature, this.rows));
    const first = this.shown;
    this.list.append(...more);
    this.shown += more.length;
    if (more.includes(this.apart)) this.apart = null;
    else if (this.apart) this.list.append(this.apart);
    return this.list.children[first];
  }

  rowOf(feature, known) {
    const row = known.get(feature.id) ?? this.template.content.firstElementChild.cloneNode(true);
    row.removeAttribute("data-apart");
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
    if (this.apart && this.apart.dataset.id !== id) this.dropApart();
    const row = id && this.find(id);
    if (!row) return;
    row.classList.add("selected");
    row.querySelector("a").setAttribute("aria-current", "true");
    if (reveal) row.scrollIntoView({ block: "nearest" });
  }

  focus(id) {
    this.find(id)?.querySelector("a").focus();
  }

  // The row of one that stands further down comes last, by itself: all those before it may be thousands.
  find(id) {
    const feature = this.rows.has(id) ? null : this.all.find((one) => one.id === id);
    if (!feature) return this.rows.get(id);
    if (this.apart) this.dropApart();
    this.apart = this.rowOf(feature, this.rows);
    this.apart.toggleAttribute("data-apart", true);
    this.list.append(this.apart);
    return this.apart;
  }

  dropApart() {
    this.rows.delete(this.apart.dataset.id);
    this.apart.remove();
    this.apart = null;
  }
}

function slot(row, name, text) {
  const element = row.querySelector(`[data-slot="${name}"]`);
  if (element.textContent !== text) element.textContent = text;
}
