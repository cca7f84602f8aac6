// Whether changes can be saved, on a page that stays open: told on the live line where there is one, else asked for.

const ASK_EVERY_MS = 20_000;
const ASK_WHILE_DOWN_MS = 5_000;
const BACK_SHOWN_MS = 8_000;

const place = document.querySelector("[data-store]");
const listeners = new Set();
let isToldLive = false;
let clearing = null;
let asking = null;

export function tellStore(canSave) {
  const wasDown = place.dataset.store === "down";
  if (canSave !== wasDown) return;
  place.dataset.store = canSave ? "up" : "down";
  clearTimeout(clearing);
  show(canSave ? "store-back" : "store-down");
  if (!canSave) return;
  clearing = setTimeout(() => show(null), BACK_SHOWN_MS);
  for (const listener of [...listeners]) listener();
}

// Where the live line is up nobody asks beside it.
export function isLive(isUp) {
  isToldLive = isUp;
  if (isUp) tellReached(true);
}

// Nothing is known of a server that does not answer.
function tellReached(isReached) {
  document.documentElement.toggleAttribute("data-cut-off", !isReached);
}

function show(id) {
  place.replaceChildren(...(id ? [document.getElementById(id).content.cloneNode(true)] : []));
  document.body.classList.toggle("has-banner", Boolean(document.querySelector(".banner")));
}

async function ask() {
  const answer = await fetch("/live/store", { cache: "no-store" }).catch(() => null);
  const told = answer?.ok ? await answer.json().catch(() => null) : null;
  tellReached(Boolean(told));
  if (told) tellStore(told.saves);
}

async function askNowAndThen() {
  clearTimeout(asking);
  if (!document.hidden && !isToldLive) await ask();
  asking = setTimeout(askNowAndThen, place.dataset.store === "down" ? ASK_WHILE_DOWN_MS : ASK_EVERY_MS);
}

// A page that stands for another which could not be shown is replaced by it.
if (document.querySelector("[data-away]")) listeners.add(() => location.reload());
document.addEventListener("visibilitychange", () => document.hidden || askNowAndThen());
asking = setTimeout(askNowAndThen, place.dataset.store === "down" ? ASK_WHILE_DOWN_MS : ASK_EVERY_MS);

// The tab in front is the one whose tenant the browser names: another may have chosen otherwise meanwhile.
const acting = document.documentElement.dataset.in;
const chooseAgain = () => {
  const parts = [`parvis_in=${acting}`, "path=/", "max-age=15552000", "samesite=lax"];
  if (location.protocol === "https:") parts.push("secure");
  if (acting && !document.hidden) document.cookie = parts.join(";");
};
for (const event of ["visibilitychange", "focus", "pointerdown"]) addEventListener(event, chooseAgain);
