// The list that shows the same set as the map, row for row.

import { say, showAge } from "../words.js";

const FRESH_MS = 1_200;
const MOST_ROWS = 1_000;

export class ObjectList {
  constructor(list, template, onChoose) {
    this.list = list;
    this.template = template;
    list.addEventListener("click", (event) => {
      const row = event.target.closest("li[data-id]");
      if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      onChoose(row.dataset.id);
    });
  }

  // The map shows all of them; a list of thousands nobody reads to its end.
  show(all) {
    const features = all.slice(0, MOST_ROWS);
    const known = new Map([...this.list.children].map((row) => [row.dataset.id, row]));
    const rows = features.map((feature) => {
      const row = known.get(feature.id) ?? this.template.content.firstElementChild.cloneNode(true);
      this.fill(row, feature.properties);
      return row;
    });
    this.list.replaceChildren(...rows);
    return all.length - rows.length;
  }

  update(properties) {
    const row = this.find(properties.id);
    if (!row) return;
    this.fill(row, properties);
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

  find(id) {
    return this.list.querySelector(`li[data-id="${CSS.escape(id)}"]`);
  }
}

function slot(row, name, text) {
  const element = row.querySelector(`[data-slot="${name}"]`);
  if (element.textContent !== text) element.textContent = text;
}
