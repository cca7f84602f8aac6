// The line to the server on which changes come. The browser comes back by itself and says what it heard last; where the
// server sends it away the page stays as it is, and only the line is tried again, more and more rarely.

import { endSession, isForAnother, isTurnedAway, whenSessionEnds } from "./session.js";
import { isLive, tellStore } from "./store.js";
import { say } from "./words.js";

const AGAIN_MS = 5_000;
const AGAIN_AT_MOST_MS = 120_000;
const EVENTS = "/live/events";
let isOpen = false;

// Whether the page hears of changes just now.
export function isHeard() {
  return isOpen;
}

export function listen(query, { changes, reset }) {
  const light = document.querySelector("[data-live]");
  let source = null;
  let heard = null;
  let again = null;
  let waitMs = AGAIN_MS;
  let hasLeft = false;

  const show = (isOn, word = isOn ? "live" : "offline") => {
    isOpen = isOn;
    isLive(isOn);
    if (!light) return;
    light.classList.toggle("on", isOn);
    light.textContent = say(word);
  };

  const open = () => {
    const asked = new URLSearchParams(query);
    if (heard) asked.set("after", heard);
    source = new EventSource(`${EVENTS}?${asked}`);
    source.addEventListener("hello", hearWho);
    source.addEventListener("store", hear((told) => tellStore(told.saves)));
    source.addEventListener("changes", hear(changes));
    source.addEventListener("reset", hear(() => reset()));
    source.addEventListener("error", () => {
      show(false);
      if (source.readyState === EventSource.CLOSED) wait();
    });
  };

  const hear = (tell) => (event) => {
    heard = event.lastEventId || heard;
    tell(JSON.parse(event.data));
  };

  const hearWho = hear((told) => {
    if (isForAnother(told.who)) {
      endSession();
      return;
    }
    waitMs = AGAIN_MS;
    show(true);
    tellStore(told.saves);
  });

  // Not all at once: where there are too many, or the server has just come back, all pages wait alike.
  const wait = () => {
    clearTimeout(again);
    again = setTimeout(tryAgain, waitMs * (0.75 + Math.random() / 2));
    waitMs = Math.min(waitMs * 2, AGAIN_AT_MOST_MS);
  };

  const tryAgain = async () => {
    const answer = await knock(query);
    if (hasLeft) return;
    if (answer && isTurnedAway(answer)) endSession();
    else if (answer?.ok) open();
    else wait();
  };

  const close = () => {
    clearTimeout(again);
    source.close();
  };
  const leave = () => {
    hasLeft = true;
    forget();
    close();
    for (const [name, handler] of handlers) window.removeEventListener(name, handler);
  };
  // The browser knows before the line does: what has broken off tells nobody.
  const handlers = [
    ["offline", () => show(false)],
    ["online", () => source.readyState === EventSource.OPEN && show(true)],
    ["pagehide", close],
    ["pageshow", (event) => event.persisted && open()],
  ];
  for (const [name, handler] of handlers) window.addEventListener(name, handler);
  const forget = whenSessionEnds(() => {
    leave();
    show(false, "session_ended");
  });
  open();
  return leave;
}

// An EventSource does not tell why it was sent away.
async function knock(query) {
  const asked = new URLSearchParams(query);
  asked.delete("after");
  const ringing = new AbortController();
  const answer = await fetch(`${EVENTS}?${asked}`, { signal: ringing.signal, headers: { accept: "text/event-stream" } }).catch(() => null);
  if (answer) ringing.abort();
  return answer;
}
