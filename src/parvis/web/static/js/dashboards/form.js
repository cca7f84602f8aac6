// The form of one widget, with the widget as it would look beside it.

import { say } from "../words.js";
import { drawPlots } from "./plot.js";
import { watchMaps } from "./map.js";

const editor = document.querySelector("[data-editor]");
const dialog = editor.querySelector("[data-dialog]");
const form = dialog.querySelector("[data-widget-form]");
const preview_ = dialog.querySelector("[data-preview]");
const search = dialog.querySelector("[data-search]");
const offered = dialog.querySelector("[data-offered]");
const attributes = JSON.parse(editor.querySelector("[data-attributes]").textContent);
const names = JSON.parse(editor.querySelector("[data-names]").textContent);
const main = JSON.parse(editor.querySelector("[data-main]").textContent);
const words = JSON.parse(editor.querySelector("[data-words-of]").textContent);
const limits = JSON.parse(editor.dataset.limits);
const token = document.querySelector("[data-save] [name='form_token']").value;
const WAIT_MS = 300;
const WIDE = { map: 2, series: 4, table: 4, bars: 2, top: 2, days: 4, alerts: 2, text: 2, states: 2 };
const FIELDS = ["about", "attribute", "method", "place", "zones", "period", "text", "title"];
let chosen = [];
let base = {};
let timer = null;
let mayTell = true;

// The widget that was composed; null where that was given up.
export function askFor(widget) {
  base = widget ?? { kind: "figure" };
  chosen = [...(base.entities ?? [])];
  form.reset();
  form.elements.kind.value = base.kind;
  for (const name of FIELDS) if (name in base && form.elements[name]) form.elements[name].value = base[name];
  form.elements.compare.checked = Boolean(base.compare);
  dialog.querySelector("[data-heading]").textContent = say(widget ? "board_form_change" : "board_form_new");
  settle(base.attribute ?? "", base.zones ?? "");
  dialog.returnValue = "";
  mayTell = widget !== null;
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "apply" ? composed(widget) : null), { once: true });
  });
}

// As HTML; null where the server cannot be asked.
export async function preview(widget) {
  return (await look(widget))?.html ?? null;
}

async function look(widget) {
  const answer = await fetch("/console/dashboards/preview", {
    method: "POST",
    headers: { "content-type": "application/json", "form-token": token },
    body: JSON.stringify(widget),
  }).catch(() => null);
  if (!answer?.ok) return null;
  const seen = await answer.json();
  Object.assign(names, seen.names);
  return seen;
}

function composed(known) {
  const kind = form.elements.kind.value;
  const used = new Set([...form.querySelectorAll("[data-for]")].filter((one) => !one.hidden).flatMap((one) => [...one.querySelectorAll("[name]")].map(({ name }) => name)));
  const widget = { kind };
  const width = known && known.kind === kind ? known.width : WIDE[kind];
  if (width && width > 1) widget.width = width;
  if (known?.height > 1) widget.height = known.height;
  for (const name of FIELDS) {
    const value = form.elements[name].value.trim();
    if (value && (name === "title" || used.has(name))) widget[name] = value;
  }
  if (widget.method === "average") delete widget.method;
  if (widget.period === "24h") delete widget.period;
  if (used.has("compare") && form.elements.compare.checked) widget.compare = true;
  if (takesObjects(kind) && chosen.length) widget.entities = chosen.slice(0, mostObjects(kind));
  return widget;
}

const takesObjects = (kind) => ["figure", "gauge", "series", "days"].includes(kind);
const mostObjects = (kind) => (kind === "series" ? limits.series : 1);

function settle(attribute = form.elements.attribute.value, zones = form.elements.zones.value) {
  const kind = form.elements.kind.value;
  for (const field of form.querySelectorAll("[data-for]")) field.hidden = !field.dataset.for.split(" ").includes(kind);
  form.querySelector("[data-kind-hint]").textContent = say(`board_hint_${kind}`);
  form.querySelector("[data-objects-hint]").textContent = say(kind === "series" ? "board_objects_some" : ["figure", "gauge"].includes(kind) ? "board_objects_or_all" : "board_objects_one");
  fillAttributes(attribute);
  fillZones(zones);
  showChosen();
  later();
}

function fillAttributes(wanted) {
  const select = form.elements.attribute;
  const type = form.elements.about.value || (chosen[0] ?? "").split(":")[2];
  const known = attributes[type] ?? attributes[(chosen[0] ?? "").split(":")[2]] ?? [];
  const options = [select.options[0], ...known.map(([value, label]) => new Option(label, value))];
  if (wanted && !known.some(([value]) => value === wanted)) options.push(new Option(wanted, wanted));
  select.replaceChildren(...options);
  select.value = wanted;
  if (!select.value && ["series", "days"].includes(form.elements.kind.value) && known.length) {
    const first = known.some(([value]) => value === main[type]) ? main[type] : known[0][0];
    select.value = first;
  }
}

function fillZones(wanted) {
  const select = form.elements.zones;
  const group = select.querySelector("[data-words]");
  group.replaceChildren(...(words[form.elements.about.value] ?? []).map(([value, label]) => new Option(label, value)));
  group.hidden = !group.children.length;
  select.value = wanted;
  if (select.selectedIndex < 0) select.value = "";
}

function showChosen() {
  const rows = chosen.map((id) => {
    const row = document.createElement("li");
    const button = document.createElement("button");
    const name = names[id] ?? id;
    button.type = "button";
    button.textContent = "×";
    button.setAttribute("aria-label", say("board_leave_out", { name }));
    button.addEventListener("click", () => {
      chosen = chosen.filter((one) => one !== id);
      settle();
      search.focus();
    });
    row.append(name, button);
    return row;
  });
  form.querySelector("[data-chosen]").replaceChildren(...rows);
}

async function offer() {
  const query = new URLSearchParams({ q: search.value, type: typeChosen() });
  const answer = await fetch(`/console/dashboards/objects.json?${query}`).catch(() => null);
  const found = answer?.ok ? await answer.json() : [];
  const rows = found.filter(({ id }) => !chosen.includes(id)).map((one) => {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = [one.name, one.where].filter(Boolean).join(", ");
    button.addEventListener("click", () => choose(one));
    row.append(button);
    return row;
  });
  offered.hidden = rows.length === 0;
  offered.replaceChildren(...rows);
}

function typeChosen() {
  const type = form.elements.about.value;
  return type in attributes ? type : "";
}

function choose({ id, name }) {
  names[id] = name;
  const most = mostObjects(form.elements.kind.value);
  chosen = most === 1 ? [id] : [...chosen, id].slice(-most);
  offered.hidden = true;
  search.value = "";
  settle();
  search.focus();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(show, WAIT_MS);
}

async function show() {
  if (!dialog.open) return;
  const seen = await look(composed(base));
  if (dialog.open) tell(seen);
}

// What a new one lacks is told once somebody has tried to apply it.
function tell(seen) {
  if (seen === null || (!seen.is_complete && !mayTell)) {
    preview_.textContent = say(seen === null ? "board_no_preview" : "board_preview_soon");
    return;
  }
  preview_.innerHTML = seen.html;
  drawPlots(preview_);
  watchMaps(preview_);
}

form.addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "apply") return;
  event.preventDefault();
  mayTell = true;
  const seen = await look(composed(base));
  if (seen === null || seen.is_complete) dialog.close("apply");
  else tell(seen);
});
form.addEventListener("change", (event) => {
  if (event.target === search) return;
  if (["kind", "about"].includes(event.target.name)) settle();
  else later();
});
form.addEventListener("input", (event) => {
  if (event.target === search) {
    clearTimeout(timer);
    timer = setTimeout(offer, WAIT_MS);
  } else later();
});
search.addEventListener("focus", () => !search.value && chosen.length < mostObjects(form.elements.kind.value) && offer());
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.preventDefault();
});
