// The residents' page works without this; with it, choosing a commune applies itself and the map comes on demand.

import { boundsOf, openMap } from "./map/ground.js";
import { addMarkers } from "./map/markers.js";
import { addObjectLayers, apart } from "./map/layers.js";
import { say } from "./words.js";

document.documentElement.classList.add("scripted");

const chooser = document.querySelector("[data-apply]");
chooser?.addEventListener("change", () => chooser.form.submit());

const demand = document.querySelector("[data-on-demand]");
if (demand) {
  demand.hidden = false;
  demand.querySelector("button").addEventListener("click", showMap, { once: true });
}

async function showMap() {
  const frame = demand.querySelector(".map-frame");
  frame.hidden = false;
  demand.querySelector("button").hidden = true;
  try {
    const answer = await fetch(demand.dataset.source);
    const objects = await answer.json();
    demand.querySelector(".sprite").innerHTML = await (await fetch(demand.dataset.sprite)).text();
    await addStyle(demand.dataset.styleSheet);
    const { map, library } = await openMap(frame, {
      center: JSON.parse(demand.dataset.centre),
      zoom: Number(demand.dataset.zoom),
      cooperativeGestures: true,
    });
    map.addControl(new library.NavigationControl({ showCompass: false }), "bottom-right");
    await addMarkers(map);
    addObjectLayers(map);
    apart(objects.features.filter((feature) => feature.geometry));
    map.getSource("objects").setData(objects);
    const bounds = boundsOf(library, objects.features);
    if (bounds) map.fitBounds(bounds, { padding: 48, maxZoom: 15, duration: 0 });
    frame.dataset.ready = "true";
  } catch (error) {
    frame.textContent = say("map_failed");
    console.warn(error);
  }
}

function addStyle(address) {
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = address;
  return new Promise((resolve, reject) => {
    sheet.addEventListener("load", resolve);
    sheet.addEventListener("error", reject);
    document.head.append(sheet);
  });
}

const here = document.querySelector("[data-here]");
if (here && navigator.geolocation) {
  here.hidden = false;
  here.addEventListener("click", lookAround);
}

/** Where the nearest are: to about ten metres, which is all that a list by distance needs. */
function lookAround() {
  const state = document.querySelector("[data-here-state]");
  state.textContent = here.dataset.looking;
  here.disabled = true;
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      location.assign(`/?at=${coords.latitude.toFixed(4)},${coords.longitude.toFixed(4)}#recycling`);
    },
    (fault) => {
      state.textContent = fault.code === fault.PERMISSION_DENIED ? here.dataset.denied : here.dataset.unknown;
      here.disabled = false;
    },
    { enableHighAccuracy: true, timeout: 20_000 },
  );
}
