// A page that stays true while it is open: it is asked for again as often as it says, and what it says is put in place.
// Where parts of it are marked for it only those are, so that a form beside them keeps what is being filled in.

import { hasEnded, pageOf } from "./session.js";
import { clockTime, say } from "./words.js";

const page = document.querySelector("[data-refresh]");
const sign = document.createElement("p");
let saidAt = Date.now();

async function refresh() {
  if (!document.hidden && parts().length) {
    const fresh = await pageOf(await fetch(location.href).catch(() => null));
    if (fresh) put(fresh);
    tellAge(fresh !== null || hasEnded());
  }
  if (!hasEnded()) wait();
}

// What is not kept true any more must not pass for the present.
function tellAge(isFresh) {
  if (isFresh) saidAt = Date.now();
  const said = isFresh ? "" : say("outdated", { time: clockTime(saidAt) });
  if (sign.textContent !== said) sign.textContent = said;
}

function parts() {
  const marked = [...page.querySelectorAll("[data-refreshed]")];
  return (marked.length ? marked : [page]).filter((part) => !part.contains(document.activeElement));
}

function put(fresh) {
  const next = fresh.querySelector("[data-refresh]");
  if (!next) return;
  page.dataset.refresh = next.dataset.refresh;
  for (const part of parts()) {
    const said = part === page ? next : fresh.getElementById(part.id);
    if (!said) continue;
    keepOpen(part, said);
    if (said.innerHTML !== part.innerHTML) part.replaceChildren(...said.childNodes);
  }
}

// What somebody has unfolded stays so.
function keepOpen(part, said) {
  for (const fold of part.querySelectorAll("details[id][open]")) said.querySelector(`#${CSS.escape(fold.id)}`)?.setAttribute("open", "");
}

function wait() {
  setTimeout(refresh, Number(page.dataset.refresh) * 1000);
}

if (page) {
  sign.className = "outdated";
  sign.setAttribute("role", "status");
  page.before(sign);
  wait();
}
