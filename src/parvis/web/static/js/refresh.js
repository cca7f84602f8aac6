// A page that stays true while it is open: it is asked for again as often as it says, and what it says is put in place.
// Where parts of it are marked as live only those are, so that a form beside them keeps what is being filled in.

import { hasEnded, pageOf } from "./session.js";

const page = document.querySelector("[data-refresh]");

async function refresh() {
  if (!document.hidden && parts().length) {
    const fresh = await pageOf(await fetch(location.href).catch(() => null));
    if (fresh) put(fresh);
  }
  if (!hasEnded()) wait();
}

function parts() {
  const live = [...page.querySelectorAll("[data-live]")];
  return (live.length ? live : [page]).filter((part) => !part.contains(document.activeElement));
}

function put(fresh) {
  const next = fresh.querySelector("[data-refresh]");
  if (!next) return;
  page.dataset.refresh = next.dataset.refresh;
  for (const part of parts()) {
    const said = part === page ? next : fresh.getElementById(part.id);
    if (said && said.innerHTML !== part.innerHTML) part.replaceChildren(...said.childNodes);
  }
}

function wait() {
  setTimeout(refresh, Number(page.dataset.refresh) * 1000);
}

if (page) wait();
