// A dashboard that stays true while it is open: what has changed is asked for again, a little later, and put in place.

import { listen } from "../live.js";
import { hasEnded, pageOf } from "../session.js";
import { openMaps, putOnPaper, refreshMaps, watchMaps } from "./map.js";
import { dropPlots, drawPlots } from "./plot.js";

const SOON_MS = 300;
const AT_MOST_EVERY_MS = 2_200;
const AGES_EVERY_MS = 60_000;
const MAPS_AT_MOST_EVERY_MS = 10_000;

const board = document.querySelector("[data-live-board]");
const printing = document.querySelector("[data-print]");
let askedAt = 0;
let mapsAt = Date.now();
let waiting = null;
let owed = 0;

// Twice: the server may hold an answer from just before the change for two seconds.
function changed() {
  owed = 2;
  plan();
}

function plan() {
  if (waiting || !owed || hasEnded()) return;
  waiting = setTimeout(refresh, Math.max(SOON_MS, askedAt + AT_MOST_EVERY_MS - Date.now()));
}

async function refresh() {
  askedAt = Date.now();
  owed -= 1;
  if (!document.hidden) {
    const fresh = await pageOf(await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null));
    if (fresh) put(fresh.querySelector("[data-live-board]"));
    if (Date.now() - mapsAt > MAPS_AT_MOST_EVERY_MS) {
      mapsAt = Date.now();
      refreshMaps();
    }
  }
  waiting = null;
  plan();
}

function put(fresh) {
  const [bodies, next] = [bodiesOf(board), fresh ? bodiesOf(fresh) : []];
  if (bodies.length !== next.length) {
    if (fresh) location.reload();
    return;
  }
  bodies.forEach((body, index) => replace(body, next[index]));
  drawPlots(board);
}

function bodiesOf(within) {
  return [...within.querySelectorAll("[data-body]")];
}

function replace(body, next) {
  const sentence = body.querySelector("[data-sentence]");
  if (body.querySelector("[data-board-map]") && next.querySelector("[data-board-map]")) {
    const told = next.querySelector("[data-sentence]");
    if (sentence.textContent !== told.textContent) sentence.replaceWith(told);
    return;
  }
  const [columns, told] = [body, next].map((one) => one.querySelector("[data-columns]")?.textContent ?? one.innerHTML);
  if (columns === told || body.contains(document.activeElement) || body.querySelector("details[open]")) return;
  dropPlots(body);
  body.replaceChildren(...next.childNodes);
}

if (board) {
  drawPlots(board);
  watchMaps(board);
  const query = new URLSearchParams(board.dataset.query);
  query.set("after", board.dataset.after);
  listen(query, { changes: changed, reset: changed });
  setInterval(changed, AGES_EVERY_MS);
  addEventListener("beforeprint", putOnPaper);
}

if (printing) {
  printing.hidden = false;
  printing.addEventListener("click", async () => {
    await openMaps();
    print();
  });
}
