// The first run: what is to be typed elsewhere is copied by a button, and a map says where it opens.

import { openMap } from "./map/ground.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.querySelector("span").textContent = button.dataset.copied;
  });
}

const place = document.querySelector("[data-first-map]");
const fields = document.querySelector("[data-first-place]")?.elements;
const FIELDS = ["longitude", "latitude", "zoom"];

async function show() {
  const frame = place.querySelector("[data-map]");
  const { map, library } = await openMap(frame, { center: JSON.parse(place.dataset.centre), zoom: Number(place.dataset.zoom) });
  map.addControl(new library.NavigationControl({ showCompass: false }));
  frame.querySelector(".map-waiting")?.remove();
  frame.dataset.ready = "true";
  map.on("moveend", (event) => event.originalEvent !== undefined && tell(map));
  for (const name of FIELDS) fields[name].addEventListener("change", () => follow(map));
}

function tell(map) {
  const { lng, lat } = map.getCenter().wrap();
  fields.longitude.value = lng.toFixed(5);
  fields.latitude.value = lat.toFixed(5);
  fields.zoom.value = map.getZoom().toFixed(1);
}

function follow(map) {
  const [longitude, latitude, zoom] = FIELDS.map((name) => Number(fields[name].value.replace(",", ".")));
  const isPlace = Math.abs(longitude) <= 180 && Math.abs(latitude) <= 90 && zoom >= 0 && zoom <= 22;
  if (isPlace) map.jumpTo({ center: [longitude, latitude], zoom });
}

if (place && fields) show().catch((error) => {
  place.hidden = true;
  document.querySelector("[data-first-failed]").hidden = false;
  console.warn(error);
});
