// While a demonstration is being laid out, pages say so. Once there is something to show they show it, by themselves.

const EVERY_MS = 3000;
const notice = document.getElementById("laying");
const wasEmpty = notice?.dataset.part !== "past";

async function look() {
  const answer = document.hidden ? null : await fetch(location.href).catch(() => null);
  const fresh = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh && fresh.getElementById("laying");
  if (fresh && wasEmpty && next?.dataset.part !== "land" && next?.dataset.part !== "devices") location.reload();
  else if (fresh && !next) end(fresh);
  else {
    if (next) notice.replaceChildren(...next.childNodes);
    if (next?.dataset.part !== "fault") setTimeout(look, EVERY_MS);
  }
}

function end(fresh) {
  notice.remove();
  document.body.classList.toggle("has-banner", fresh.body.classList.contains("has-banner"));
}

if (notice) setTimeout(look, EVERY_MS);
