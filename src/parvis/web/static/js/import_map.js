// Where the first rows of a file lie, on the territory's own ground; the drawing beside stays where that cannot be shown.

import { boundsOf, colour, openMap } from "./map/ground.js";

const PADDING_PX = 32;
const CLOSE_ZOOM = 15;
const figure = document.querySelector("[data-plot]");
const frame = figure.querySelector("[data-map]");

async function show(points) {
  const features = points.map((coordinates) => ({ type: "Feature", geometry: { type: "Point", coordinates }, properties: {} }));
  const place = figure.querySelector("[data-plot-map]");
  place.hidden = false;
  try {
    const { map, library } = await openMap(frame, { center: points[0], zoom: 9, cooperativeGestures: true });
    map.addSource("rows", { type: "geojson", data: { type: "FeatureCollection", features } });
    map.addLayer({ id: "rows", type: "circle", source: "rows", paint: paint() });
    map.fitBounds(boundsOf(library, features), { padding: PADDING_PX, maxZoom: CLOSE_ZOOM, duration: 0 });
    frame.querySelector(".map-waiting")?.remove();
    figure.querySelector("svg[data-drawing]").remove();
    frame.dataset.ready = "true";
  } catch (error) {
    place.hidden = true;
    console.warn(error);
  }
}

function paint() {
  return {
    "circle-radius": 5,
    "circle-color": colour("--accent"),
    "circle-stroke-color": colour("--surface"),
    "circle-stroke-width": 1,
  };
}

show(JSON.parse(figure.dataset.points));
