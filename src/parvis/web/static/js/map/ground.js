// A map on the territory's own ground, in the page's theme. MapLibre comes only when a map is really wanted.

const LIBRARY = new URL("../../vendor/maplibre-gl/maplibre-gl.mjs", import.meta.url);

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export async function openMap(frame, options) {
  const library = await import(LIBRARY);
  const map = new library.Map({
    container: frame,
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
  return { map, library };
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
