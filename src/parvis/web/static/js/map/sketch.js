// Points set on the map one after the other: a way to measure, or a zone. With the pointer, or with the keyboard at the
// cross in the middle of the map.

import { say } from "../words.js";
import { colour } from "./ground.js";
import { EMPTY } from "./layers.js";

const NEAR_PX = 12;

export class Sketch {
  // `onChange(corners)` after each point, `onDone(corners)` at the end; `isClosed`: the points enclose an area.
  constructor(map) {
    this.map = map;
    this.corners = [];
    this.active = null;
    addSketchLayers(map);
    map.on("click", (event) => this.active && this.clicked(event));
    map.on("dblclick", (event) => {
      if (!this.active) return;
      event.preventDefault();
      this.finish();
    });
    map.getCanvas().addEventListener("keydown", (event) => this.active && this.pressed(event));
  }

  get isOn() {
    return this.active !== null;
  }

  start(handlers) {
    this.stop();
    this.active = handlers;
    this.corners = [];
    this.map.getContainer().classList.add("sketching");
    this.map.getCanvas().focus({ preventScroll: true });
    this.draw();
  }

  stop() {
    this.active = null;
    this.map.getContainer().classList.remove("sketching");
  }

  clear() {
    this.stop();
    this.corners = [];
    this.draw();
  }

  add({ lng, lat }) {
    this.corners.push([round(lng), round(lat)]);
    this.changed();
  }

  addAtCross() {
    this.add(this.map.getCenter());
  }

  undo() {
    this.corners.pop();
    this.changed();
  }

  changed() {
    this.draw();
    this.active?.onChange(this.corners);
  }

  finish() {
    const handlers = this.active;
    this.stop();
    this.draw();
    handlers?.onDone(this.corners);
  }

  // A click on the first point closes the ring; the second click of a double one sets no point of its own.
  clicked({ lngLat, point }) {
    const isNear = (corner) => corner && this.map.project(corner).dist(point) < NEAR_PX;
    if (this.corners.length > 2 && isNear(this.corners[0])) this.finish();
    else if (!isNear(this.corners.at(-1))) this.add(lngLat);
  }

  pressed(event) {
    const act = { Enter: () => this.addAtCross(), Backspace: () => this.undo(), Escape: () => this.finish() }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  draw() {
    const { corners } = this;
    const isClosed = this.active?.isClosed && corners.length > 2;
    const ring = isClosed ? [...corners, corners[0]] : corners;
    const features = corners.map((corner) => ({ type: "Feature", geometry: { type: "Point", coordinates: corner }, properties: {} }));
    if (corners.length > 1) features.push({ type: "Feature", geometry: { type: "LineString", coordinates: ring }, properties: {} });
    if (isClosed) features.push({ type: "Feature", geometry: { type: "Polygon", coordinates: [ring] }, properties: {} });
    this.map.getSource("sketch").setData({ type: "FeatureCollection", features });
  }
}

export function sayCorners(corners) {
  return say("map.corner", { n: corners.length });
}

function addSketchLayers(map) {
  const [accent, surface] = [colour("--accent"), colour("--surface")];
  map.addSource("zone", { type: "geojson", data: EMPTY });
  map.addLayer({ id: "zone", type: "fill", source: "zone", paint: { "fill-color": accent, "fill-opacity": 0.08 } });
  map.addLayer({ id: "zone-edge", type: "line", source: "zone", paint: { "line-color": accent, "line-width": 2, "line-dasharray": [3, 2] } });
  map.addSource("sketch", { type: "geojson", data: EMPTY });
  const isPolygon = ["==", ["geometry-type"], "Polygon"];
  map.addLayer({ id: "sketch-fill", type: "fill", source: "sketch", filter: isPolygon, paint: { "fill-color": accent, "fill-opacity": 0.1 } });
  map.addLayer({ id: "sketch-line", type: "line", source: "sketch", paint: { "line-color": accent, "line-width": 3 } });
  map.addLayer({
    id: "sketch-points",
    type: "circle",
    source: "sketch",
    filter: ["==", ["geometry-type"], "Point"],
    paint: { "circle-radius": 5, "circle-color": surface, "circle-stroke-color": accent, "circle-stroke-width": 2.5 },
  });
}

function round(degrees) {
  return Number(degrees.toFixed(5));
}
