// A page that stays true while it is open: it is asked for again as often as it says, and what it says is put in place.

const page = document.querySelector("[data-refresh]");

async function refresh() {
  if (!document.hidden && !page.contains(document.activeElement)) {
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok && !answer.redirected) put(await answer.text());
  }
  wait();
}

function put(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-refresh]");
  if (!fresh) return;
  page.dataset.refresh = fresh.dataset.refresh;
  page.replaceChildren(...fresh.childNodes);
}

function wait() {
  setTimeout(refresh, Number(page.dataset.refresh) * 1000);
}

if (page) wait();
