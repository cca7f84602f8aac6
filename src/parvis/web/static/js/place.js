// A place into two fields: the phone's own, with how exact it is, or one that is chosen on the map.

import { openMap } from "./map/ground.js";
import { number } from "./words.js";

const WITHIN_MS = 20_000;
const NEAR_ZOOM = 16;

for (const fields of document.querySelectorAll("[data-place]")) {
  const [locating, opening] = ["[data-locate]", "[data-place-open]"].map((one) => fields.querySelector(one));
  if (navigator.geolocation) {
    locating.hidden = false;
    locating.addEventListener("click", () => locate(fields, locating));
  }
  opening.hidden = false;
  opening.addEventListener("click", () => toggle(fields, opening));
}

function fill(fields, latitude, longitude) {
  fields.querySelector("[name^=latitude]").value = latitude.toFixed(6);
  fields.querySelector("[name^=longitude]").value = longitude.toFixed(6);
}

function tell(fields, text) {
  fields.querySelector("[data-place-state]").textContent = text;
}

function locate(fields, button) {
  tell(fields, fields.dataset.looking);
  button.disabled = true;
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      fill(fields, coords.latitude, coords.longitude);
      tell(fields, fields.dataset.found.replace("{m}", number(Math.max(1, Math.round(coords.accuracy)))));
      button.disabled = false;
    },
    (fault) => {
      tell(fields, fault.code === fault.PERMISSION_DENIED ? fields.dataset.denied : fields.dataset.unknown);
      button.disabled = false;
    },
    { enableHighAccuracy: true, timeout: WITHIN_MS },
  );
}

function toggle(fields, button) {
  const place = fields.querySelector("[data-place-map]");
  place.hidden = !place.hidden;
  button.setAttribute("aria-expanded", String(!place.hidden));
  if (place.hidden) return;
  bringIntoSight(place);
  if (place.dataset.opened) return;
  place.dataset.opened = "true";
  show(fields, place).catch((error) => {
    place.hidden = true;
    tell(fields, place.dataset.failed);
    console.warn(error);
  });
}

// Below the fold nobody would see that it has opened.
function bringIntoSight(place) {
  place.scrollIntoView({ block: "nearest" });
  place.focus({ preventScroll: true });
}

// What the fields say already, else where the territory's maps open.
function startingView(fields, place) {
  const [latitude, longitude] = ["latitude", "longitude"].map((name) => read(fields.querySelector(`[name^=${name}]`)));
  const isKnown = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  if (isKnown) return { center: [longitude, latitude], zoom: NEAR_ZOOM, isKnown };
  return { center: JSON.parse(place.dataset.centre), zoom: Number(place.dataset.zoom), isKnown };
}

function read(field) {
  return field.value.trim() ? Number(field.value.replace(",", ".").replace("\u2212", "-")) : NaN;
}

async function show(fields, place) {
  const { isKnown, ...view } = startingView(fields, place);
  const frame = place.querySelector("[data-map]");
  const { map, library } = await openMap(frame, view);
  map.addControl(new library.NavigationControl({ showCompass: false }));
  const pin = new library.Marker();
  const choose = (spot) => {
    const { lng, lat } = spot.wrap();
    pin.setLngLat([lng, lat]).addTo(map);
    fill(fields, lat, lng);
    tell(fields, place.dataset.chosen);
  };
  if (isKnown) pin.setLngLat(view.center).addTo(map);
  map.on("click", (event) => choose(event.lngLat));
  place.querySelector("[data-place-middle]").addEventListener("click", () => choose(map.getCenter()));
  frame.querySelector(".map-waiting")?.remove();
  frame.dataset.ready = "true";
}
