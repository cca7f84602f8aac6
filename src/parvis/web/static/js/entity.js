// An entity's page: its chart, its place, and its values as they change.

import { Chart } from "./chart.js";
import { isHeard, listen } from "./live.js";
import { openMap } from "./map/ground.js";
import { addMarkers } from "./map/markers.js";
import { pageOf } from "./session.js";
import { gap, showAge } from "./words.js";

const page = document.querySelector("[data-entity]");
const figure = document.querySelector("[data-chart]");
const place = document.querySelector("[data-mini-map]");
const FRESH_MS = 1_200;
const LOOK_EVERY_MS = 5_000;
const ASK_AGAIN_MS = 60_000;
let redraw = () => {};
let staleAt = Number(page.dataset.staleAt);
let told = 0;

const chart = figure ? new Chart(figure) : null;
chart?.load();

function hear(changes) {
  for (const change of changes) {
    if (change.gone) {
      location.reload();
      return;
    }
    for (const attribute of change.attributes ?? []) showAttribute(attribute);
    showState(change);
  }
}

function showAttribute(attribute) {
  const row = document.querySelector(`tr[data-attribute="${CSS.escape(attribute.name)}"][data-dataset="${CSS.escape(attribute.dataset)}"]`);
  if (row && attribute.text) {
    row.querySelector("[data-value] .number").textContent = attribute.text;
    const place = row.querySelector("[data-value] .unit");
    if (place) place.textContent = gap(attribute.unit) + attribute.unit;
    showAge(row.querySelector("time"), attribute.at, attribute.stored);
    row.classList.add("fresh");
    setTimeout(() => row.classList.remove("fresh"), FRESH_MS);
  }
  if (chart && attribute.name === chart.attribute && attribute.number !== null && !attribute.dataset) {
    chart.add(attribute.at / 1000, attribute.number);
  }
}

// What falls silent sends no change: the page asks the server what to say of it, whose clock is the one that counts.
async function look() {
  if (!staleAt || Date.now() < staleAt || !isHeard()) return;
  const toldBefore = told;
  staleAt = Date.now() + ASK_AGAIN_MS;
  const fresh = (await pageOf(await fetch(location.href).catch(() => null)))?.querySelector("[data-entity]");
  if (!fresh || told !== toldBefore) return;
  staleAt = Number(fresh.dataset.staleAt) && Math.max(staleAt, Number(fresh.dataset.staleAt));
  document.querySelector("[data-live-state]").replaceChildren(...fresh.querySelector("[data-live-state]").childNodes);
  say(fresh.querySelector("[data-sentence]").textContent);
  showOnMap(fresh.querySelector("[data-mini-map]")?.dataset.state);
}

function say(text) {
  const sentence = document.querySelector("[data-sentence]");
  if (text && sentence.textContent !== text) sentence.textContent = text;
}

function showState(change) {
  told += 1;
  staleAt = change.stale_at;
  say(change.sentence);
  const badge = document.querySelector(`#states [data-state="${change.state}"]`);
  if (badge && change.attribute) document.querySelector("[data-live-state]").replaceChildren(badge.cloneNode(true));
  showOnMap(change.state, change.position);
}

function showOnMap(state, position) {
  if (!place || !state) return;
  place.dataset.state = state;
  if (position) place.dataset.position = JSON.stringify(position);
  redraw();
}

async function showPlace() {
  const here = () => ({ type: "Feature", geometry: { type: "Point", coordinates: JSON.parse(place.dataset.position) }, properties: {} });
  const image = () => `marker-${place.dataset.glyph}-${place.dataset.state}`;
  const frame = place.querySelector("[data-map]");
  try {
    const { map } = await openMap(frame, { center: JSON.parse(place.dataset.position), zoom: 14.5, interactive: false });
    await addMarkers(map);
    map.addSource("here", { type: "geojson", data: here() });
    map.addLayer({ id: "here", type: "symbol", source: "here", layout: { "icon-image": image(), "icon-size": 1.1 } });
    redraw = () => {
      map.setLayoutProperty("here", "icon-image", image());
      map.getSource("here").setData(here());
    };
    redraw();
    frame.dataset.ready = "true";
    frame.shownMarker = () => map.getLayoutProperty("here", "icon-image");
    frame.querySelector(".map-waiting")?.remove();
  } catch (error) {
    place.hidden = true;
    console.warn(error);
  }
}

const query = new URLSearchParams({ entity: page.dataset.entity, after: page.dataset.after });
listen(query, { changes: hear, reset: () => location.reload() });
setInterval(look, LOOK_EVERY_MS);
if (place) showPlace();
