// What every console page does: keep ages and the clock true.

import { showAge } from "./words.js";

const EVERY_MS = 20_000;

document.documentElement.classList.add("scripted");

function tellTime() {
  for (const element of document.querySelectorAll("time[data-at]")) showAge(element, Number(element.dataset.at), "stored" in element.dataset);
  const clock = document.querySelector("[data-clock]");
  if (clock) {
    const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: clock.dataset.clock };
    clock.textContent = new Intl.DateTimeFormat(document.documentElement.lang, options).format(new Date());
  }
}

setInterval(tellTime, EVERY_MS);
