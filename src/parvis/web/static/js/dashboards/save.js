// Saves what is composed without leaving the page: what is refused, or cannot be sent, stays here to be sent again.

import { say } from "../words.js";

const SIGN_IN = "/console/sign-in";
const FORBIDDEN = 403;
const OUTRUN = [409, 412];
const REASONS = { 400: "board_not_taken", 403: "board_not_allowed", 409: "board_outrun", 412: "board_outrun", 503: "board_not_now" };
const TOKEN = "form_token";
const COMPOSED = "layout";

const editor = document.querySelector("[data-editor]");
const place = editor.querySelector("[data-refused]");

// Where what was saved can be seen; empty where it was not, and the page says why.
export async function save(form) {
  place.hidden = true;
  editor.inert = true;
  const answer = await send(form);
  const refusal = await refusalOf(answer);
  editor.inert = false;
  if (!refusal) return answer.url;
  await tell(refusal, answer);
  // Whoever saves again has seen that somebody else did.
  if (OUTRUN.includes(answer?.status)) await renew(form, ({ name }) => name !== COMPOSED);
  return "";
}

// Whoever has signed in again in another window has another form token; what is composed here is still theirs.
async function send(form) {
  const answer = await post(form);
  if (answer?.status !== FORBIDDEN) return answer;
  return (await renew(form, ({ name }) => name === TOKEN)) ? post(form) : answer;
}

const post = (form) => fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);

// Takes hidden fields from the page as it would come now; true where one of them has become another.
async function renew(form, isWanted) {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok || answer.redirected) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = [...fresh.querySelectorAll("[data-save] input[type=hidden]")].filter(isWanted);
  const others = next.filter(({ name, value }) => form.elements[name]?.value !== value);
  for (const { name, value } of others) if (form.elements[name]) form.elements[name].value = value;
  return others.length > 0;
}

async function refusalOf(answer) {
  if (!answer) return "board_cut_off";
  if (isSignIn(answer)) return "board_session_ended";
  if (answer.ok) return "";
  if (answer.status === FORBIDDEN && (await hasEnded())) return "board_session_ended";
  return REASONS[answer.status] ?? "board_not_saved";
}

async function hasEnded() {
  const answer = await fetch(location.href).catch(() => null);
  return answer !== null && isSignIn(answer);
}

function isSignIn(answer) {
  return answer.redirected && new URL(answer.url).pathname === SIGN_IN;
}

// Besides why, what the server says of it where it says more.
async function tell(refusal, answer) {
  const more = refusal === "board_session_ended" || !answer ? "" : await sentenceOf(answer);
  place.querySelector("[data-why]").textContent = [say(refusal), more].filter(Boolean).join(" ");
  for (const link of place.querySelectorAll("[data-when]")) link.hidden = link.dataset.when !== refusal;
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" });
}

async function sentenceOf(answer) {
  const page = new DOMParser().parseFromString(await answer.text().catch(() => ""), "text/html");
  return page.querySelector("[data-reason]")?.textContent.trim() ?? "";
}
