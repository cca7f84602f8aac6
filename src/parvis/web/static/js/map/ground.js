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
  for (const feature of features) if (feature.geometry) bounds.extend(feature.geometry.coordinates);
  return bounds.isEmpty() ? null : bounds;
}
