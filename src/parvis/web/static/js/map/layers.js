// The objects on the map: clusters that show the worst state inside, markers, what is fresh, what is selected.

import { wantsMotion } from "../words.js";
import { colour } from "./ground.js";

const CLUSTER_UP_TO_ZOOM = 14;
const CLUSTER_RADIUS_PX = 46;
const FONT = ["system-ui"];
const STATES = ["good", "stale", "warn", "bad"];

export const EMPTY = { type: "FeatureCollection", features: [] };

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
  map.addLayer({
    id: "markers",
    type: "symbol",
    source: "objects",
    filter: ["!", ["has", "point_count"]],
    layout: markerLayout(),
  });
  map.addLayer({ id: "selected-marker", type: "symbol", source: "selected", layout: markerLayout() });
}

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
    "icon-image": ["concat", "marker-", ["get", "domain"], "-", ["get", "state"]],
    "icon-size": ["interpolate", ["linear"], ["zoom"], 10, 0.8, 14, 1],
    "icon-allow-overlap": true,
    "icon-padding": 0,
    "icon-offset": [1, -1],
    "symbol-sort-key": ["get", "rank"],
  };
}

// Only what stands alone: inside a cluster nobody could tell which one changed.
export function flash(map, changed) {
  if (!wantsMotion) return;
  const alone = new Set(map.queryRenderedFeatures({ layers: ["markers"] }).map((feature) => feature.properties.id));
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
