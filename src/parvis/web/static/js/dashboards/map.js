// The maps of a dashboard. The library comes when one of them comes into sight, or is to be printed.

import { boundsOf, openMap } from "../map/ground.js";
import { addObjectLayers, collectionOf } from "../map/layers.js";
import { addMarkers } from "../map/markers.js";
import { say } from "../words.js";

const MARGIN_PX = 32;
const WHOLE_AT_MOST_MS = 4_000;
const opened = new Map();
const shown = new Map();
const watched = new Set();
const watching = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) openOnce(target);
});

export function watchMaps(within) {
  for (const place of within.querySelectorAll("[data-board-map]")) {
    watched.add(place);
    watching.observe(place);
  }
}

function openOnce(place) {
  watching.unobserve(place);
  if (!opened.has(place)) opened.set(place, open(place));
}

async function open(place) {
  const frame = place.querySelector("[data-map]");
  try {
    const features = await fetchFeatures(place);
    const { map, library } = await openMap(frame, { center: [0, 0], zoom: 9, canvasContextAttributes: { preserveDrawingBuffer: true } });
    await addMarkers(map);
    addObjectLayers(map);
    map.addControl(new library.NavigationControl({ showCompass: false }));
    map.getSource("objects").setData(collectionOf(features));
    const bounds = boundsOf(library, features);
    if (bounds) map.fitBounds(bounds, { padding: MARGIN_PX, maxZoom: 14, animate: false });
    frame.querySelector(".map-waiting")?.remove();
    frame.dataset.ready = "true";
    shown.set(place, map);
    return map;
  } catch (error) {
    const words = document.createElement("p");
    words.className = "map-waiting quiet small";
    words.textContent = say("map_failed");
    frame.replaceChildren(words);
    console.warn(error);
    return null;
  }
}

async function fetchFeatures(place) {
  const answer = await fetch(place.dataset.source);
  if (!answer.ok) throw new Error(String(answer.status));
  const { features, note } = await answer.json();
  const told = place.parentElement.querySelector("[data-board-map-note]");
  if (told) {
    told.textContent = note;
    told.hidden = !note;
  }
  return features;
}

export async function refreshMaps() {
  for (const [place, opening] of opened) {
    const map = await opening;
    if (!map) continue;
    if (!place.isConnected) {
      map.remove();
      opened.delete(place);
      shown.delete(place);
      continue;
    }
    const features = await fetchFeatures(place).catch(() => null);
    if (features) map.getSource("objects").setData(collectionOf(features));
  }
}

// Also those that nobody has scrolled to: before all of them go on paper.
export async function openMaps() {
  for (const place of watched) openOnce(place);
  await Promise.all([...opened.values()].map(async (opening) => whole(await opening)));
}

async function whole(map) {
  if (!map || map.loaded()) return;
  await Promise.race([new Promise((resolve) => map.once("idle", resolve)), new Promise((resolve) => setTimeout(resolve, WHOLE_AT_MOST_MS))]);
}

// On paper stands a picture of what the canvas shows. It is made at once, for the browser does not wait for one.
export function putOnPaper() {
  for (const [place, map] of shown) {
    const [frame, canvas] = [place.querySelector("[data-map]"), map.getCanvas()];
    const paper = frame.querySelector(":scope > .on-paper") ?? document.createElement("canvas");
    paper.className = "on-paper";
    paper.width = canvas.width;
    paper.height = canvas.height;
    paper.getContext("2d").drawImage(canvas, 0, 0);
    frame.prepend(paper);
  }
}
