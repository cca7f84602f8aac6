// The line to the server on which changes come. The browser comes back by itself and says what it heard last; where the
// server sends it away, the page begins anew once there is something to begin with.

import { say } from "./words.js";
import { isLive, tellStore, whenStoreIsBack } from "./store.js";

const BEGIN_ANEW_MS = 5_000;

export function listen(query, { changes, reset }) {
  const light = document.querySelector("[data-live]");
  const source = new EventSource(`/live/events?${query}`);
  let again = null;
  const show = (isOn) => {
    isLive(isOn);
    if (!light) return;
    light.classList.toggle("on", isOn);
    light.textContent = say(isOn ? "live" : "offline");
  };
  const hearOfStore = (event) => tellStore(JSON.parse(event.data).saves);
  source.addEventListener("hello", (event) => {
    show(true);
    hearOfStore(event);
  });
  source.addEventListener("store", hearOfStore);
  source.addEventListener("changes", (event) => changes(JSON.parse(event.data)));
  source.addEventListener("reset", () => reset());
  source.addEventListener("error", () => {
    show(false);
    if (source.readyState === EventSource.CLOSED) again = setTimeout(() => whenStoreIsBack(reset), BEGIN_ANEW_MS);
  });
  // The browser knows before the line does: what has broken off tells nobody.
  const cutOff = () => show(false);
  const backAgain = () => source.readyState === EventSource.OPEN && show(true);
  window.addEventListener("offline", cutOff);
  window.addEventListener("online", backAgain);
  return () => {
    window.removeEventListener("offline", cutOff);
    window.removeEventListener("online", backAgain);
    clearTimeout(again);
    source.close();
  };
}
