// The line to the server on which changes come. The browser comes back by itself and says what it heard last.

import { say } from "./words.js";

export function listen(query, { changes, reset }) {
  const light = document.querySelector("[data-live]");
  const source = new EventSource(`/live/events?${query}`);
  const show = (isOn) => {
    if (!light) return;
    light.classList.toggle("on", isOn);
    light.textContent = say(isOn ? "live" : "offline");
  };
  source.addEventListener("hello", () => show(true));
  source.addEventListener("changes", (event) => changes(JSON.parse(event.data)));
  source.addEventListener("reset", () => reset());
  source.addEventListener("error", () => {
    show(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(reset, 5_000);
  });
  return () => source.close();
}
