// The overview stays true while it is open: the server's page is asked for again, and what it says is put in place.

const EVERY_MS = 15_000;

async function refresh() {
  const page = document.querySelector("[data-refresh]");
  if (document.hidden || page.contains(document.activeElement)) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
  if (fresh) page.replaceChildren(...fresh.childNodes);
}

setInterval(refresh, EVERY_MS);
