// "Use my position": the phone's place into two fields, with how exact it is.

import { number } from "./words.js";

const WITHIN_MS = 20_000;

for (const fields of document.querySelectorAll("[data-place]")) {
  const button = fields.querySelector("[data-locate]");
  if (!navigator.geolocation) continue;
  button.hidden = false;
  button.addEventListener("click", () => locate(fields, button));
}

function locate(fields, button) {
  const state = fields.querySelector("[data-place-state]");
  state.textContent = fields.dataset.looking;
  button.disabled = true;
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      fields.querySelector("[name^=latitude]").value = coords.latitude.toFixed(6);
      fields.querySelector("[name^=longitude]").value = coords.longitude.toFixed(6);
      state.textContent = fields.dataset.found.replace("{m}", number(Math.max(1, Math.round(coords.accuracy))));
      button.disabled = false;
    },
    (fault) => {
      state.textContent = fault.code === fault.PERMISSION_DENIED ? fields.dataset.denied : fields.dataset.unknown;
      button.disabled = false;
    },
    { enableHighAccuracy: true, timeout: WITHIN_MS },
  );
}
