// The field of the top bar as a palette: "/" or Ctrl+K opens it, arrows choose, Enter goes there. Without it the field
// leads to the page of results.

import { say } from "./words.js";

const WAIT_MS = 70;

const form = document.querySelector("[data-search]");
const input = form?.querySelector("input");
const palette = form?.querySelector("[data-palette]");
const status = form?.querySelector("[data-found]");
let timer = null;
let asking = null;
let active = -1;

const options = () => [...palette.querySelectorAll("[role=option]")];

function open() {
  if (getComputedStyle(form).display === "none") location.href = form.action;
  input.focus();
  input.select();
}

async function ask() {
  asking?.abort();
  asking = new AbortController();
  const address = `${form.dataset.search}?${new URLSearchParams({ q: input.value })}`;
  try {
    const answer = await fetch(address, { signal: asking.signal });
    if (!answer.ok || answer.redirected) fail(answer.redirected ? "search_session" : "search_failed");
    else if (document.activeElement === input) show(await answer.text());
  } catch (fault) {
    if (fault.name !== "AbortError") fail("search_failed");
  }
}

// What was found before is not what is asked for now.
function fail(reason) {
  if (document.activeElement !== input) return;
  const told = document.createElement("p");
  told.className = "palette-empty";
  told.textContent = say(reason);
  reveal(told);
  status.textContent = told.textContent;
}

function show(html) {
  const found = document.createElement("template");
  found.innerHTML = html;
  reveal(found.content);
  status.textContent = palette.querySelector("[data-count]").dataset.count;
}

function reveal(content) {
  palette.replaceChildren(content);
  palette.hidden = false;
  active = -1;
  input.setAttribute("aria-expanded", String(options().length > 0));
  input.removeAttribute("aria-activedescendant");
}

function close() {
  clearTimeout(timer);
  asking?.abort();
  palette.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function choose(index) {
  const all = options();
  if (!all.length) return;
  all[active]?.setAttribute("aria-selected", "false");
  active = (index + all.length) % all.length;
  all[active].setAttribute("aria-selected", "true");
  all[active].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", all[active].id);
}

function next(key) {
  if (key === "ArrowDown") return active + 1;
  if (key === "ArrowUp") return active < 0 ? -1 : active - 1;
  if (key === "Home" && active >= 0) return 0;
  return key === "End" && active >= 0 ? -1 : null;
}

function leave() {
  if (palette.hidden) input.blur();
  close();
}

function onKey(event) {
  if (event.isComposing) return;
  const going = event.key === "Enter" && !palette.hidden ? options()[active] : null;
  if (event.key === "Escape") leave();
  else if (going) going.click();
  else if (palette.hidden && event.key === "ArrowDown") ask();
  else if (!palette.hidden && next(event.key) !== null) choose(next(event.key));
  else return;
  event.preventDefault();
}

function onShortcut(event) {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  const isSlash = event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey;
  const isK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
  if (!isSlash && !isK) return;
  event.preventDefault();
  open();
}

if (form) {
  const told = { role: "combobox", "aria-expanded": "false", "aria-controls": "palette-list", "aria-autocomplete": "list" };
  for (const [name, value] of Object.entries(told)) input.setAttribute(name, value);
  document.addEventListener("keydown", onShortcut);
  input.addEventListener("keydown", onKey);
  input.addEventListener("focus", ask);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  });
  form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || close());
  palette.addEventListener("pointerdown", (event) => event.preventDefault());
}
