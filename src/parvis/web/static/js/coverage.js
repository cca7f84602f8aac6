// Coverage on the map: squares by their state with the loss in them, and the gateways that hear.

import { colour, openMap, withoutStrays } from "./map/ground.js";

const STATES = ["good", "warn", "bad", "stale"];
const FONT = ["system-ui"];
const MARGIN_PX = 40;
// Below this zoom a square is smaller than its words: colour and sign say enough.
const TEXT_FROM_ZOOM = 10.9;
const place = document.querySelector("[data-coverage]");
const drawn = JSON.parse(document.querySelector("#coverage")?.textContent ?? "null");

function byState() {
  return ["match", ["get", "state"], ...STATES.flatMap((state) => [state, colour(`--${state}`)]), colour("--stale")];
}

function boundsOf(library) {
  const bounds = new library.LngLatBounds();
  const corners = drawn.squares.features.flatMap((square) => square.geometry.coordinates[0]);
  const posts = drawn.gateways.features.map((gateway) => gateway.geometry.coordinates);
  for (const place of withoutStrays([...corners, ...posts])) bounds.extend(place);
  return bounds;
}

function addLayers(map) {
  const [ink, surface] = [colour("--ink"), colour("--surface")];
  map.addSource("squares", { type: "geojson", data: drawn.squares });
  map.addSource("gateways", { type: "geojson", data: drawn.gateways });
  // "squares" is a layer of the base map: those of a town.
  map.addLayer({ id: "cells", type: "fill", source: "squares", paint: { "fill-color": byState(), "fill-opacity": 0.45 } });
  map.addLayer({ id: "edges", type: "line", source: "squares", paint: { "line-color": byState(), "line-width": 1.5 } });
  map.addLayer({
    id: "losses",
    type: "symbol",
    source: "squares",
    layout: {
      "text-field": ["step", ["zoom"], ["get", "sign"], TEXT_FROM_ZOOM, ["get", "text"]],
      "text-font": FONT,
      "text-size": 13,
    },
    paint: { "text-color": ink, "text-halo-color": surface, "text-halo-width": 1.5 },
  });
  map.addLayer({
    id: "gateways",
    type: "circle",
    source: "gateways",
    paint: { "circle-radius": 11, "circle-color": surface, "circle-stroke-color": byState(), "circle-stroke-width": 3 },
  });
  map.addLayer({
    id: "gateway-numbers",
    type: "symbol",
    source: "gateways",
    layout: { "text-field": ["get", "text"], "text-font": FONT, "text-size": 13, "text-padding": 6, "text-allow-overlap": true },
    paint: { "text-color": ink },
  });
}

async function show() {
  const frame = place.querySelector("[data-map]");
  try {
    const { map, library } = await openMap(frame, { center: [0, 0], zoom: 10 });
    map.fitBounds(boundsOf(library), { padding: MARGIN_PX, maxZoom: 13, animate: false });
    map.addControl(new library.NavigationControl({ showCompass: false }));
    addLayers(map);
    map.on("click", "cells", ({ features }) => {
      const row = features[0].properties.row;
      document.getElementById(row)?.closest("details")?.setAttribute("open", "");
      location.hash = row;
    });
    map.on("click", "gateways", ({ features }) => (location.hash = features[0].properties.row));
    frame.dataset.ready = "true";
    frame.querySelector(".map-waiting")?.remove();
  } catch (error) {
    place.hidden = true;
    console.warn(error);
  }
}

if (place && drawn) show();
