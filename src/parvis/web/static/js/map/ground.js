// A map on the territory's own ground, in the page's theme. MapLibre comes only when a map is really wanted.

import { say } from "../words.js";

const LIBRARY = new URL("../../vendor/maplibre-gl/maplibre-gl.mjs", import.meta.url);

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function ownWords() {
  return {
    "AttributionControl.ToggleAttribution": say("map_credits"),
    "CooperativeGesturesHandler.MacHelpText": say("map_wheel_mac"),
    "CooperativeGesturesHandler.MobileHelpText": say("map_touch"),
    "CooperativeGesturesHandler.WindowsHelpText": say("map_wheel"),
    "Map.Title": say("map_title"),
    "Marker.Title": say("map_marker"),
    "NavigationControl.ZoomIn": say("map_zoom_in"),
    "NavigationControl.ZoomOut": say("map_zoom_out"),
  };
}

export async function openMap(frame, options) {
  const library = await import(LIBRARY);
  const map = new library.Map({
    container: frame,
    locale: ownWords(),
    style: `/basemap/style/${isDark() ? "dark" : "light"}.json`,
    attributionControl: { compact: true },
    dragRotate: false,
    pitchWithRotate: false,
    maxPitch: 0,
    fadeDuration: 120,
    ...options,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  await new Promise((resolve, reject) => {
    map.once("style.load", resolve);
    map.once("error", (event) => reject(event.error));
  });
  drawCoarserInMotion(map);
  return { map, library };
}

const STEPS = [
  { late_ms: 40, share: 0.6 },
  { late_ms: 24, share: 0.45 },
];
const LATE_FRAMES = 4;
const SHARP_AFTER_MS = 180;

// Where there is no graphics card, most of a frame is spent on its pixels: a map that moves and is late is drawn with
// fewer of them, with fewer yet where it stays late, and sharp again once it rests.
function drawCoarserInMotion(map) {
  const sharp = map.getPixelRatio();
  let [last, late, step, resting] = [0, 0, 0, null];
  map.on("render", () => {
    const now = performance.now();
    if (map.isMoving() && last && step < STEPS.length) late = now - last > STEPS[step].late_ms ? late + 1 : 0;
    last = map.isMoving() ? now : 0;
    if (late < LATE_FRAMES) return;
    map.setPixelRatio(sharp * STEPS[step].share);
    [late, step] = [0, step + 1];
  });
  map.on("moveend", () => {
    clearTimeout(resting);
    if (!step) return;
    resting = setTimeout(() => {
      if (map.isMoving()) return;
      [last, late, step] = [0, 0, 0];
      map.setPixelRatio(sharp);
    }, SHARP_AFTER_MS);
  });
}

export function colour(token, within = document.body) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${token})`;
  within.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export function boundsOf(library, features) {
  const bounds = new library.LngLatBounds();
  const places = [...features].flatMap((feature) => (feature.geometry ? [feature.geometry.coordinates] : []));
  for (const place of withoutStrays(places)) bounds.extend(place);
  return bounds.isEmpty() ? null : bounds;
}

const FEW = 4;
const FAR = 12;
const CLOSE_DEG = 0.02;

// One object far from all others, which is mostly a mistake, must not turn the territory into a speck.
export function withoutStrays(places) {
  if (places.length < FEW) return places;
  const middle = [0, 1].map((axis) => median(places.map((place) => place[axis])));
  const aways = places.map((place) => Math.hypot(place[0] - middle[0], place[1] - middle[1]));
  const reach = FAR * Math.max(CLOSE_DEG, median(aways));
  return places.filter((_, index) => aways[index] <= reach);
}

function median(numbers) {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];
}
