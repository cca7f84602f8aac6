// Map and list of one set of objects under one filter sentence; the address is always the view's permalink.

import { listen } from "../live.js";
import { endSession, hasEnded, isForAnother, isTurnedAway } from "../session.js";
import { say, standAt, wantsMotion } from "../words.js";
import { Drawer } from "./drawer.js";
import { Filter } from "./filter.js";
import { Followed } from "./followed.js";
import { boundsOf, openMap } from "./ground.js";
import { addObjectLayers, collectionOf, EMPTY, flash, MARKER_LAYERS, showChosen, updateObjects } from "./layers.js";
import { ObjectList } from "./list.js";
import { addMarkers } from "./markers.js";
import { Replay } from "./replay.js";
import { SHAPE_LAYERS, shapesOf, showChosenShape } from "./shapes.js";
import { Tools } from "./tools.js";

const RELOAD_MS = 5_000;
const NOT_THERE = 404;
const CLOSE_ZOOM = 15.5;
const PADDING_PX = 56;
const TOUCH_PX = 5;

const picture = document.querySelector("[data-picture]");
const status = document.querySelector("[data-status]");
const refused = document.querySelector("[data-refused]");
const note = document.querySelector("[data-note]");
const more = document.querySelector("[data-more]");
const frame = document.querySelector("[data-map]");

const list = new ObjectList(document.querySelector("[data-list]"), document.getElementById("row"), (id, isByKey) => {
  select(id);
  if (isByKey) drawer.focus();
});
const drawer = new Drawer(document.getElementById("drawer"), close);

const filter = new Filter(document.getElementById("filter"), { apply, moment: () => replay.at });
const tools = new Tools(document.querySelector(".map-tools"), filter.form, {
  apply: () => apply({ fit: false }),
  query: () => filter.query(),
  speak,
});
const replay = new Replay(document.querySelector("[data-replay]"), document.querySelector("[data-past]"), {
  at: picture.dataset.moment ? Number(picture.dataset.moment) : null,
  show: showMoment,
  onToggle: (isOpen) => picture.classList.toggle("replaying", isOpen),
});

const followed = new Followed(filter, { showChanged, showSet, load: () => load(), isNow: () => replay.at === null });
const { objects } = followed;
let selected = picture.dataset.selected || null;
let opened = null;
let hangUp = () => {};
let loading = 0;
let asking = null;
let isLoaded = false;
let wasTyping = false;
let shownQuery = filter.query().toString();
let remembered = shownQuery;
let { search } = location;
let wantsFit = !new URLSearchParams(location.search).has("at");

// A choice is a step that Back takes back; where one looks, and at what, belongs to the step.
function rememberAddress(isStep = false) {
  const query = new URLSearchParams(shownQuery);
  if (selected) query.set("selected", selected);
  const at = opened ? viewOf(opened.map) : new URLSearchParams(location.search).get("at");
  if (at) query.set("at", at);
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  const address = text ? `?${text}` : location.pathname;
  if (isStep && shownQuery !== remembered) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  remembered = shownQuery;
  search = location.search;
}

function viewOf(map) {
  const { lat, lng } = map.getCenter();
  return `${map.getZoom().toFixed(2)},${lat.toFixed(5)},${lng.toFixed(5)}`;
}

async function load({ fit = false, isStep = false } = {}) {
  wantsFit ||= fit;
  const turn = ++loading;
  const query = filter.query();
  asking?.abort();
  asking = new AbortController();
  const answer = await fetch(`/console/map.geojson?${query}`, { signal: asking.signal }).catch(() => null);
  if (turn !== loading || hasEnded()) return;
  if (answer && isTurnedAway(answer)) {
    endSession();
    return;
  }
  if (!answer || answer.status >= 500) setTimeout(() => turn === loading && load({ fit, isStep }), RELOAD_MS);
  if (!answer?.ok) {
    if (answer && answer.status < 500) await refuse(answer);
    if (replay.at !== null) status.textContent = say("map.failed_past");
    return;
  }
  const collection = await answer.json().catch(() => null);
  if (turn !== loading || !collection) return;
  if (isForAnother(collection.who)) {
    endSession();
    return;
  }
  followed.take(collection);
  showWhen(collection.moment);
  tools.showLayers(collection.layers);
  tools.showZone(collection.zone);
  showMore(list.show(collection.features, { isOther: query.toString() !== shownQuery }));
  list.select(selected, { reveal: fit });
  showEmpty(collection.moment !== null);
  status.textContent = collection.sentence;
  note.textContent = collection.note;
  note.hidden = !collection.note;
  filter.show(collection);
  isLoaded = true;
  shownQuery = query.toString();
  rememberAddress(isStep);
  draw();
  showSelected();
  settle();
  hangUp();
  hangUp = () => {};
  if (collection.moment !== null) return;
  query.set("after", collection.seq);
  hangUp = listen(query, { changes: (told) => followed.hear(told), reset: () => load() });
}

// Of a choice that cannot be shown: what stands on the page is of the one before, and so is the sentence above it.
async function refuse(answer) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const why = page.querySelector("[data-reason]")?.textContent ?? "";
  if (answer.status === NOT_THERE && filter.wanted().isOfZone) {
    sayRefused(say("map.zone_gone"));
    tools.dropZone();
    await load();
  } else if (isLoaded && shownQuery !== filter.query().toString()) {
    sayRefused(`${why} ${say("map.undone")}`);
    filter.restore(new URLSearchParams(shownQuery));
    tools.showZone(tools.zone);
  } else sayRefused(why || say("map.refused"));
}

function sayRefused(text) {
  refused.textContent = text.trim();
  refused.hidden = !text;
}

// What is shown is of the past, and nothing on the page may say otherwise.
function showWhen(moment) {
  standAt(moment);
  picture.classList.toggle("past", moment !== null);
  if (moment === null) return;
  const light = document.querySelector("[data-live]");
  light.classList.remove("on");
  light.textContent = say("map.past");
}

function showMoment(at) {
  document.querySelector("[data-status]").setAttribute("aria-live", replay.isPlaying ? "off" : "polite");
  if (at === null) standAt(null);
  return load();
}

function speak(text) {
  document.querySelector("[data-spoken]").textContent = text;
}

more.querySelector("[data-show-more]").addEventListener("click", (event) => {
  const first = list.showMore();
  if (event.detail === 0) first?.querySelector("a").focus();
  showMore(list.rest);
});

function showMore(number) {
  more.querySelector("[data-more-told]").textContent = number ? say("more", { n: number }) : "";
  more.hidden = !number;
}

function showChanged(changed, isNews) {
  for (const feature of changed) list.update(feature.properties, isNews);
  const placed = changed.filter((feature) => feature.geometry);
  if (placed.length) drawChanged(placed);
  if (opened && isNews) flash(opened.map, placed);
  tellCounts();
  if (selected && changed.some(({ id }) => id === selected)) showSelected();
}

function showSet() {
  showMore(list.show(byRank()));
  list.select(selected, { reveal: false });
  draw();
  tellCounts();
  showSelected();
}

function byRank() {
  return [...objects.values()].sort((one, other) => other.properties.rank - one.properties.rank);
}

function tellCounts() {
  sayTally();
  showEmpty(false);
  tools.recount(objects.values(), filter.shownDomains);
}

function showEmpty(isPast) {
  document.querySelector("[data-empty]").hidden = objects.size > 0 || isPast;
  document.querySelector("[data-empty-then]").hidden = objects.size > 0 || !isPast;
}

function sayTally() {
  const attention = [...objects.values()].filter((feature) => feature.properties.rank >= 2).length;
  const here = say("tally_here", { n: objects.size });
  const sentence = `${here}, ${attention ? say("tally_attention", { n: attention }) : say("tally_calm")}`;
  if (status.textContent !== sentence) status.textContent = sentence;
}

function draw() {
  if (!opened) return;
  const all = [...objects.values()];
  opened.map.getSource("objects").setData(collectionOf(all));
  opened.map.getSource("shapes").setData(shapesOf(all));
}

function drawChanged(changed) {
  if (!opened) return;
  const all = [...objects.values()];
  updateObjects(opened.map, changed, all);
  if (changed.some((feature) => feature.shape)) opened.map.getSource("shapes").setData(shapesOf(all));
}

function fitAll() {
  const bounds = boundsOf(opened.library, objects.values());
  if (bounds) opened.map.fitBounds(bounds, { padding: PADDING_PX, maxZoom: CLOSE_ZOOM, duration: wantsMotion ? 400 : 0 });
}

function select(id, { move = true } = {}) {
  selected = id;
  list.select(id);
  showSelected();
  const feature = objects.get(id);
  if (feature) saySelected(feature.properties);
  if (move && opened && feature?.geometry) {
    const zoom = Math.max(opened.map.getZoom(), CLOSE_ZOOM);
    opened.map.easeTo({ center: feature.geometry.coordinates, zoom, duration: wantsMotion ? 500 : 0 });
  }
  rememberAddress();
}

function saySelected({ name, value, state }) {
  speak(say("selected", { name, value, state: say(`state_${state}`) }));
}

function close() {
  const before = selected;
  selected = null;
  list.select(null);
  drawer.hide();
  opened?.map.getSource("selected").setData(EMPTY);
  if (opened) showChosenShape(opened.map, null);
  rememberAddress();
  if (before) list.focus(before);
}

function showSelected() {
  const feature = selected && objects.get(selected);
  if (!feature) {
    if (selected && isLoaded) hideSelected();
    return;
  }
  drawer.show(feature.properties, replay.at);
  if (opened) showChosenShape(opened.map, feature);
  if (opened && feature.geometry) showChosen(opened.map, feature);
  else opened?.map.getSource("selected").setData(EMPTY);
}

// It stays chosen: it may be there at another moment, or under another filter.
function hideSelected() {
  drawer.hide();
  opened?.map.getSource("selected").setData(EMPTY);
  if (opened) showChosenShape(opened.map, null);
}

function listenToMap({ map }) {
  for (const layer of [...MARKER_LAYERS, "clusters", "selected-marker", ...SHAPE_LAYERS]) {
    map.on("mouseenter", layer, () => tools.isSketching || (map.getCanvas().style.cursor = "pointer"));
    map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
  }
  map.on("click", (event) => {
    if (tools.isSketching) return;
    const top = topOf(map, event.point);
    if (!top) return;
    if (top.properties.cluster) openCluster(map, top);
    else select(top.properties.id, { move: false });
  });
  map.on("moveend", () => rememberAddress());
}

// Markers before lines, lines before areas; a line may be missed by a finger's width.
function topOf(map, { x, y }) {
  const near = [[x - TOUCH_PX, y - TOUCH_PX], [x + TOUCH_PX, y + TOUCH_PX]];
  const [marker] = map.queryRenderedFeatures([x, y], { layers: [...MARKER_LAYERS, "clusters"] });
  return marker ?? map.queryRenderedFeatures(near, { layers: SHAPE_LAYERS })[0];
}

async function openCluster(map, cluster) {
  const zoom = await map.getSource("objects").getClusterExpansionZoom(cluster.properties.cluster_id);
  map.easeTo({ center: cluster.geometry.coordinates, zoom: zoom + 0.2, duration: wantsMotion ? 400 : 0 });
}

function startingView() {
  const [zoom, lat, lng] = (new URLSearchParams(location.search).get("at") ?? "").split(",").map(Number);
  if ([zoom, lat, lng].every(Number.isFinite) && lat) return { center: [lng, lat], zoom };
  return { center: JSON.parse(picture.dataset.centre), zoom: Number(picture.dataset.zoom) };
}

async function showMap() {
  try {
    const ready = await openMap(frame, startingView());
    const { map, library } = ready;
    map.addControl(new library.NavigationControl({ showCompass: false }), "bottom-right");
    map.addControl(new library.ScaleControl({ maxWidth: 100 }), "bottom-right");
    await addMarkers(map);
    addObjectLayers(map);
    tools.attach(map);
    frame.querySelector(".map-waiting")?.remove();
    opened = ready;
    listenToMap(ready);
  } catch (error) {
    frame.querySelector(".map-waiting").textContent = say("map_failed");
    console.warn(error);
    return;
  }
  draw();
  showSelected();
  settle();
}

// Whichever comes last, the ground or the objects, the view is chosen once both are there.
function settle() {
  if (!opened || !isLoaded) return;
  if (wantsFit && selected && !frame.dataset.ready) select(selected);
  else if (wantsFit) fitAll();
  wantsFit = false;
  frame.objects = async () => (await opened.map.getSource("objects").getData()).features.map((feature) => feature.id);
  frame.map = opened.map;
  frame.dataset.ready = "true";
}

async function apply({ fit = true, isTyping = false } = {}) {
  const isStep = !(isTyping && wasTyping);
  wasTyping = isTyping;
  sayRefused("");
  await load({ fit, isStep });
}

// A jump within the page is no other view.
addEventListener("popstate", () => location.search !== search && location.reload());
load();
showMap();
