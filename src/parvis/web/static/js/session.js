// Whether the page is still of the one who opened it: what it then no longer hears must not pass for the present.

const SIGN_IN = "/console/sign-in";
const TURNED_AWAY = [401, 403];
const who = document.querySelector("[data-who]")?.dataset.who;
const leaving = new Set();
let isOver = false;

export function hasEnded() {
  return isOver;
}

// Calls back once, when the session has ended. What it returns takes that back.
export function whenSessionEnds(callBack) {
  leaving.add(callBack);
  return () => leaving.delete(callBack);
}

// `name`: to whom an answer was told; a page that does not say for whom it is fits everyone.
export function isForAnother(name) {
  return who !== undefined && name !== undefined && name !== who;
}

export function isTurnedAway(answer) {
  return TURNED_AWAY.includes(answer.status) || (answer.redirected && new URL(answer.url).pathname === SIGN_IN);
}

// The page as it was answered anew; null where there is none, or none for who opened this one.
export async function pageOf(answer) {
  if (answer && isTurnedAway(answer)) endSession();
  if (!answer?.ok || answer.redirected) return null;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!isForAnother(fresh.querySelector("[data-who]")?.dataset.who)) return fresh;
  endSession();
  return null;
}

export function endSession() {
  if (isOver) return;
  isOver = true;
  for (const callBack of leaving) callBack();
  const told = document.getElementById("session-ended");
  if (!told) return;
  const place = document.createElement("div");
  place.setAttribute("role", "alert");
  place.append(told.content.cloneNode(true));
  place.querySelector("[data-sign-in]").href = `${SIGN_IN}?${new URLSearchParams({ next: location.pathname + location.search })}`;
  document.querySelector("[data-store]").after(place);
  document.body.classList.add("has-banner");
}
