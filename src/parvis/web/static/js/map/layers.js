// The objects on the map: clusters that show the worst state inside, markers, what is fresh, what is selected.

import { wantsMotion } from "../words.js";
import { colour } from "./ground.js";
import { addShapeLayers } from "./shapes.js";

const CLUSTER_UP_TO_ZOOM = 14;
const CLUSTER_RADIUS_PX = 46;
const FONT = ["system-ui"];
export const STATES = ["good", "stale", "warn", "bad"];
const ATTENTION = 2;
const PLACES_AROUND = [[0, 0], [20, 0], [-20, 0], [10, 18], [-10, -18], [10, -18], [-10, 18]];

export const MARKER_LAYERS = ["calm-markers", "markers"];

export const EMPTY = { type: "FeatureCollection", features: [] };
const WORTH_ALL = 2_000;

export function addObjectLayers(map) {
  moveNamesAside(map);
  const [accent, ink] = [colour("--accent"), colour("--ink")];
  map.addSource("objects", {
    type: "geojson",
    data: EMPTY,
    cluster: true,
    clusterMaxZoom: CLUSTER_UP_TO_ZOOM,
    clusterRadius: CLUSTER_RADIUS_PX,
    clusterProperties: { worst: ["max", ["get", "rank"]] },
  });
  addShapeLayers(map);
  map.addSource("fresh", { type: "geojson", data: EMPTY });
  map.addSource("selected", { type: "geojson", data: EMPTY });
  map.addLayer({
    id: "fresh",
    type: "circle",
    source: "fresh",
    paint: {
      "circle-radius": 21,
      "circle-color": accent,
      "circle-blur": 0.5,
      "circle-opacity": 0,
      "circle-opacity-transition": { duration: wantsMotion ? 1100 : 0 },
    },
  });
  map.addLayer({
    id: "halo",
    type: "circle",
    source: "selected",
    paint: {
      "circle-radius": 21,
      "circle-color": accent,
      "circle-opacity": 0.16,
      "circle-stroke-color": accent,
      "circle-stroke-width": 3,
    },
  });
  addMarkerLayer(map, "calm-markers", ["<", ["get", "rank"], ATTENTION]);
  map.addLayer({
    id: "clusters",
    type: "symbol",
    source: "objects",
    filter: ["has", "point_count"],
    layout: {
      "icon-image": ["concat", "cluster-", ["at", ["get", "worst"], ["literal", STATES]]],
      "icon-size": ["step", ["get", "point_count"], 1.05, 10, 1.25, 50, 1.5],
      "icon-allow-overlap": true,
      "icon-padding": 0,
      "text-padding": 0,
      "text-field": ["to-string", ["get", "point_count"]],
      "text-font": FONT,
      "text-size": ["step", ["get", "point_count"], 12, 10, 13, 50, 14],
      "text-offset": [-0.05, 0.12],
      "text-allow-overlap": true,
      "symbol-sort-key": ["get", "worst"],
    },
    paint: { "text-color": ink, "text-halo-color": ink, "text-halo-width": 0.25 },
  });
  addMarkerLayer(map, "markers", [">=", ["get", "rank"], ATTENTION]);
  map.addLayer({ id: "selected-marker", type: "symbol", source: "selected", layout: markerLayout() });
}

function addMarkerLayer(map, id, filter) {
  const alone = ["all", ["!", ["has", "point_count"]], filter];
  map.addLayer({ id, type: "symbol", source: "objects", filter: alone, layout: markerLayout() });
}

// Objects at the same spot stand around it, the most urgent in the middle.
export function apart(features) {
  const taken = new Map();
  for (const feature of [...features].sort((one, other) => other.properties.rank - one.properties.rank)) {
    const spot = feature.geometry.coordinates.map((degrees) => degrees.toFixed(5)).join();
    const place = taken.get(spot) ?? 0;
    taken.set(spot, place + 1);
    feature.properties.place = place % PLACES_AROUND.length;
  }
  return features;
}

// Only what has changed goes to the map's worker: of thousands a few.
export function updateObjects(map, changed, all) {
  const source = map.getSource("objects");
  if (changed.length > WORTH_ALL || changed.some((feature) => feature.isMoved)) {
    for (const feature of changed) delete feature.isMoved;
    source.setData(collectionOf(all));
    return;
  }
  source.updateData({ update: changed.map(({ id, properties }) => ({ id, addOrUpdateProperties: pairsOf(properties) })) });
}

export function collectionOf(all) {
  const placed = all.filter((feature) => feature.geometry);
  return { type: "FeatureCollection", features: apart(placed).map(slim) };
}

// The map needs to know little of an object; the rest stays with the page.
function slim({ id, geometry, properties }) {
  return { type: "Feature", id, geometry, properties: Object.fromEntries(DRAWN.map((name) => [name, properties[name]])) };
}

function pairsOf(properties) {
  return CHANGING.map((key) => ({ key, value: properties[key] }));
}

const CHANGING = ["state", "rank"];
const DRAWN = ["id", "glyph", "place", ...CHANGING];

// Names of places stand beside the markers, not under them.
function moveNamesAside(map) {
  for (const layer of map.getStyle().layers) {
    if (layer["source-layer"] !== "place") continue;
    map.setLayoutProperty(layer.id, "text-variable-anchor", ["center", "top", "bottom", "left", "right"]);
    map.setLayoutProperty(layer.id, "text-radial-offset", 1.9);
    map.setLayoutProperty(layer.id, "text-justify", "auto");
  }
}

function markerLayout() {
  return {
    "icon-image": ["concat", "marker-", ["get", "glyph"], "-", ["get", "state"]],
    "icon-size": ["interpolate", ["linear"], ["zoom"], 10, 0.8, 14, 1],
    "icon-allow-overlap": true,
    "icon-padding": 0,
    "icon-offset": ["match", ["get", "place"], ...around(), ["literal", [1, -1]]],
    "symbol-sort-key": ["get", "rank"],
  };
}

export function showChosen(map, feature) {
  map.setPaintProperty("halo", "circle-translate", PLACES_AROUND[feature.properties.place ?? 0]);
  map.getSource("selected").setData(feature);
}

function around() {
  return PLACES_AROUND.flatMap(([x, y], place) => [place, ["literal", [x + 1, y - 1]]]);
}

// Only what stands alone: inside a cluster nobody could tell which one changed.
export function flash(map, changed) {
  if (!wantsMotion) return;
  const alone = new Set(map.queryRenderedFeatures({ layers: MARKER_LAYERS }).map((feature) => feature.properties.id));
  const features = changed.filter((feature) => alone.has(feature.id));
  if (!features.length) return;
  map.getSource("fresh").setData({ type: "FeatureCollection", features });
  map.setPaintProperty("fresh", "circle-opacity-transition", { duration: 0 });
  map.setPaintProperty("fresh", "circle-opacity", 0.4);
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      map.setPaintProperty("fresh", "circle-opacity-transition", { duration: 1100 });
      map.setPaintProperty("fresh", "circle-opacity", 0);
    }),
  );
}
