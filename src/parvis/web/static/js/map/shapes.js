// Lines and areas: hue for the domain, and the state by colour, width and dashes, with its letter along the line.

import { colour } from "./ground.js";
import { EMPTY } from "./layers.js";

const DOMAINS = ["waste", "water", "energy", "buildings", "lighting", "air", "mobility", "other"];
const LINES = {
  good: { width: 3, dashes: null, letter: "" },
  stale: { width: 3, dashes: [1.2, 1.2], letter: "?" },
  warn: { width: 5, dashes: [4, 1], letter: "!" },
  bad: { width: 7, dashes: null, letter: "×" },
};

export const SHAPE_LAYERS = [...Object.keys(LINES).map((state) => `line-${state}`), "areas"];

export function addShapeLayers(map) {
  map.addSource("shapes", { type: "geojson", data: EMPTY });
  map.addSource("selected-shape", { type: "geojson", data: EMPTY });
  const hue = ["match", ["get", "domain"], ...DOMAINS.flatMap((domain) => [domain, colour(`--${domain}`)]), colour("--other")];
  map.addLayer({ id: "areas", type: "fill", source: "shapes", filter: isArea, paint: { "fill-color": hue, "fill-opacity": ["case", ["==", ["get", "attribute"], null], 0.06, 0.12] } });
  map.addLayer({
    id: "selected-line",
    type: "line",
    source: "selected-shape",
    layout: rounded,
    paint: { "line-color": colour("--accent"), "line-width": 13, "line-opacity": 0.35 },
  });
  for (const [state, { width, dashes }] of Object.entries(LINES)) {
    const paint = {
      "line-color": state === "good" ? hue : colour(`--${state}`),
      "line-width": widthOf(width),
      "line-opacity": state === "good" ? calm : 1,
    };
    if (dashes) paint["line-dasharray"] = dashes;
    const layout = dashes ? {} : rounded;
    map.addLayer({ id: `line-${state}`, type: "line", source: "shapes", filter: ["==", ["get", "state"], state], layout, paint });
  }
  map.addLayer(letters());
}

const isArea = ["match", ["geometry-type"], ["Polygon", "MultiPolygon"], true, false];
const rounded = { "line-cap": "round", "line-join": "round" };

// What nothing is measured of, and nothing is wrong with, is ground to the rest.
const calm = ["case", ["==", ["get", "attribute"], null], 0.45, 0.85];

// The edge of an area is thinner than a line: it says where, not how much.
function widthOf(width) {
  const share = ["case", isArea, 0.45, 1];
  return ["interpolate", ["linear"], ["zoom"], 10, ["*", width * 0.4, share], 15, ["*", width, share]];
}

function letters() {
  const byState = Object.entries(LINES).flatMap(([state, { letter }]) => [state, letter]);
  return {
    id: "line-letters",
    type: "symbol",
    source: "shapes",
    minzoom: 12,
    filter: [">", ["get", "rank"], 0],
    layout: {
      "symbol-placement": "line",
      "symbol-spacing": 140,
      "text-field": ["match", ["get", "state"], ...byState, ""],
      "text-font": ["system-ui"],
      "text-size": 15,
      "text-keep-upright": true,
    },
    paint: { "text-color": colour("--ink"), "text-halo-color": colour("--surface"), "text-halo-width": 2.5 },
  };
}

export function shapesOf(features) {
  const drawn = features.filter((feature) => feature.shape);
  return {
    type: "FeatureCollection",
    features: drawn.map(({ id, shape, properties }) => ({ type: "Feature", id, geometry: shape, properties })),
  };
}

export function showChosenShape(map, feature) {
  map.getSource("selected-shape").setData(feature?.shape ? { type: "Feature", geometry: feature.shape, properties: {} } : EMPTY);
}
