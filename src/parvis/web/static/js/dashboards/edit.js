// Composing a dashboard: by mouse (grip, corner) and by keyboard (the buttons of each widget). Nothing is kept before
// it is saved, every step can be taken back, and leaving with something unsaved is warned of.

import { say } from "../words.js";
import { watchMaps } from "./map.js";
import { drawPlots } from "./plot.js";
import { askFor, preview } from "./form.js";
import { save } from "./save.js";

const editor = document.querySelector("[data-editor]");
const cells = editor.querySelector("[data-cells]");
const form = editor.querySelector("[data-save]");
const undo = editor.querySelector("[data-undo]");
const told = editor.querySelector("[data-told]");
const limits = JSON.parse(editor.dataset.limits);
const MOST_STEPS = 50;
const TALL = ["series", "map", "table", "top", "alerts"];
const widgets = new Map();
const steps = [];
let isDirty = false;

function begin() {
  const { widgets: known = [] } = JSON.parse(editor.querySelector("[data-layout]").textContent);
  listCells().forEach((cell, index) => widgets.set(cell, known[index]));
  listCells().forEach(settle);
  drawPlots(cells);
  watchMaps(cells);
  editor.dataset.ready = "true";
}

const listCells = () => [...cells.children];
const widthOf = (widget) => widget.width ?? 1;
const heightOf = (widget) => widget.height ?? 1;

function settle(cell) {
  const widget = widgets.get(cell);
  cell.className = `cell w${widthOf(widget)} h${heightOf(widget)}`;
  const all = listCells();
  const place = all.indexOf(cell);
  const able = {
    earlier: place > 0,
    later: place < all.length - 1,
    narrower: widthOf(widget) > 1,
    wider: widthOf(widget) < limits.columns,
    shorter: heightOf(widget) > 1,
    taller: heightOf(widget) < limits.tallest,
  };
  for (const button of cell.querySelectorAll("[data-do]")) {
    const action = button.dataset.do;
    if (action in able) button.setAttribute("aria-disabled", String(!able[action]));
    if (["shorter", "taller"].includes(action)) button.hidden = !TALL.includes(widget.kind);
  }
}

// What was before a step, to come back to.
function remember() {
  steps.push(listCells().map((cell) => [cell, widgets.get(cell)]));
  if (steps.length > MOST_STEPS) steps.shift();
  undo.disabled = false;
}

function changed(sentence, values) {
  isDirty = true;
  form.querySelector("[data-store-it]").disabled = false;
  listCells().forEach(settle);
  editor.querySelector("[data-when-empty]").hidden = listCells().length > 0;
  if (sentence) told.textContent = say(sentence, values);
}

undo.addEventListener("click", () => {
  const last = steps.pop();
  if (!last) return;
  for (const [cell, widget] of last) widgets.set(cell, widget);
  cells.replaceChildren(...last.map(([cell]) => cell));
  undo.disabled = steps.length === 0;
  changed("board_undone");
});

const deeds = {
  earlier: (cell) => move(cell, -1),
  later: (cell) => move(cell, 1),
  narrower: (cell) => resize(cell, "width", -1),
  wider: (cell) => resize(cell, "width", 1),
  shorter: (cell) => resize(cell, "height", -1),
  taller: (cell) => resize(cell, "height", 1),
  change: (cell) => change(cell),
  double: (cell) => double(cell),
  remove: (cell) => remove(cell),
};

cells.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button || button.getAttribute("aria-disabled") === "true") return;
  deeds[button.dataset.do](button.closest("[data-cell]"));
  if (button.isConnected) button.focus();
});

function move(cell, by) {
  remember();
  const all = listCells();
  const place = all.indexOf(cell) + by;
  if (by < 0) all[place].before(cell);
  else all[place].after(cell);
  changed("board_moved", { place: place + 1, of: all.length });
}

function resize(cell, side, by) {
  const widget = widgets.get(cell);
  const most = side === "width" ? limits.columns : limits.tallest;
  const next = Math.min(most, Math.max(1, (widget[side] ?? 1) + by));
  if (next === (widget[side] ?? 1)) return;
  remember();
  widgets.set(cell, { ...widget, [side]: next });
  changed(side === "width" ? "board_width" : "board_height", { n: next });
  if (side === "height") showIn(cell);
}

function remove(cell) {
  remember();
  const next = cell.nextElementSibling ?? cell.previousElementSibling;
  cell.remove();
  changed("board_removed");
  (next?.querySelector("[data-do='remove']") ?? editor.querySelector("[data-add]")).focus();
}

function double(cell) {
  if (isFull()) return;
  remember();
  const copy = cell.cloneNode(true);
  widgets.set(copy, { ...widgets.get(cell) });
  cell.after(copy);
  showIn(copy);
  changed("board_doubled");
}

async function change(cell) {
  const widget = await askFor(widgets.get(cell));
  if (!widget) return;
  remember();
  const fresh = newCell(widget);
  cell.replaceWith(fresh);
  changed("board_changed");
  await showIn(fresh);
  fresh.querySelector("[data-do='change']").focus();
}

editor.querySelector("[data-add]").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  if (isFull()) return;
  const widget = await askFor(null);
  if (!widget) return;
  remember();
  const cell = newCell(widget);
  cells.append(cell);
  changed("board_added");
  await showIn(cell);
  cell.scrollIntoView({ block: "nearest" });
  button.focus();
});

function isFull() {
  const full = listCells().length >= limits.widgets;
  if (full) told.textContent = say("board_full", { n: limits.widgets });
  return full;
}

function newCell(widget) {
  const cell = editor.querySelector("[data-new-cell]").content.firstElementChild.cloneNode(true);
  widgets.set(cell, widget);
  return cell;
}

async function showIn(cell) {
  const html = await preview(widgets.get(cell));
  if (html === null) return;
  cell.querySelector(".widget").outerHTML = html;
  drawPlots(cell);
  watchMaps(cell);
}

// By mouse, pen or finger: the grip takes a widget along, the corner makes it as wide as it is drawn.
cells.addEventListener("pointerdown", (event) => {
  const cell = event.target.closest("[data-cell]");
  if (event.button || !cell) return;
  if (event.target.closest("[data-grip]")) drag(event, cell, carry(cell));
  else if (event.target.closest("[data-corner]")) drag(event, cell, stretch(cell));
});

function drag(event, cell, follow) {
  event.preventDefault();
  const before = listCells().map((one) => [one, widgets.get(one)]);
  const on = (moved) => follow(moved);
  const end = () => {
    removeEventListener("pointermove", on);
    cell.classList.remove("dragged");
    if (isSame(before)) return;
    steps.push(before);
    undo.disabled = false;
    changed("board_moved", { place: listCells().indexOf(cell) + 1, of: before.length });
  };
  cell.classList.add("dragged");
  addEventListener("pointermove", on);
  addEventListener("pointerup", end, { once: true });
}

function isSame(before) {
  return listCells().every((cell, index) => before[index][0] === cell && before[index][1] === widgets.get(cell));
}

function carry(cell) {
  return ({ clientX, clientY }) => {
    const over = document.elementFromPoint(clientX, clientY)?.closest("[data-cell]");
    if (!over || over === cell || over.parentElement !== cells) return;
    const box = over.getBoundingClientRect();
    const all = listCells();
    const isAfter = all.indexOf(over) > all.indexOf(cell);
    const share = box.width > box.height ? (clientX - box.left) / box.width : (clientY - box.top) / box.height;
    if (isAfter && share > 0.4) over.after(cell);
    else if (!isAfter && share < 0.6) over.before(cell);
  };
}

function stretch(cell) {
  const columns = getComputedStyle(cells).gridTemplateColumns.split(" ").length;
  const step = cells.clientWidth / columns;
  return ({ clientX }) => {
    const wanted = Math.round((clientX - cell.getBoundingClientRect().left) / step);
    const width = Math.min(columns, Math.max(1, wanted));
    if (width === widthOf(widgets.get(cell))) return;
    widgets.set(cell, { ...widgets.get(cell), width });
    cell.className = `cell dragged w${width} h${heightOf(widgets.get(cell))}`;
  };
}

form.querySelector("[name='name']").addEventListener("input", () => changed());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.elements.layout.value = JSON.stringify({ widgets: listCells().map((cell) => widgets.get(cell)) });
  told.textContent = say("board_saving");
  const saved = await save(form);
  told.textContent = "";
  if (!saved) return;
  isDirty = false;
  location.assign(saved);
});
addEventListener("beforeunload", (event) => {
  if (isDirty) event.preventDefault();
});
begin();
