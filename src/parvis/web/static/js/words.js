// Sentences, numbers and ages in the page's language, handed over by the server.

const source = document.getElementById("words");
const words = source ? JSON.parse(source.textContent) : {};
export const language = document.documentElement.lang || "en";
// The territory's, where the page tells it; else the browser's.
export const timeZone = knownZone(document.querySelector("[data-clock]")?.dataset.clock);
const plurals = new Intl.PluralRules(language);
const numbers = new Map();
const MOST_DECIMALS = 20;
const LARGEST_WITH_DECIMALS = 100;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function say(key, values = {}) {
  const form = "n" in values ? words[`${key}.${plurals.select(values.n)}`] : undefined;
  const sentence = form ?? words[key] ?? "";
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? number(values[name]) : whole));
}

// As the server spells them: without `decimals`, two significant ones below 100.
export function number(value, decimals = sensibleDecimals(value)) {
  return typeof value === "number" ? formatOf(decimals).format(value).replace("-", MINUS) : String(value);
}

function sensibleDecimals(value) {
  if (Number.isInteger(value) || Math.abs(value) >= LARGEST_WITH_DECIMALS) return 0;
  return Math.abs(value) >= 1 ? 1 : 2;
}

function formatOf(decimals) {
  const fixed = Math.min(decimals ?? 0, MOST_DECIMALS);
  if (!numbers.has(fixed)) numbers.set(fixed, new Intl.NumberFormat(language, { minimumFractionDigits: fixed, maximumFractionDigits: fixed, signDisplay: "negative" }));
  return numbers.get(fixed);
}

export const MINUS = "\u2212";

// English sets the per cent sign close to its number.
export function gap(unit) {
  return unit === "%" && language === "en" ? "" : "\u00a0";
}

// Ages are told as of now, or as of a moment of the past that a page shows.
let standing = null;

export function standAt(moment) {
  standing = moment;
}

export function ageOf(at, now = standing ?? Date.now()) {
  if (at === null || at === undefined || Number.isNaN(at)) return sayAge("never");
  const elapsed = now - at;
  if (elapsed < MINUTE) return sayAge("now");
  if (elapsed < HOUR) return sayAge("minutes", { n: Math.floor(elapsed / MINUTE) });
  if (elapsed < DAY) return sayAge("hours", { n: Math.floor(elapsed / HOUR) });
  return sayAge("days", { n: Math.floor(elapsed / DAY) });
}

function sayAge(key, values) {
  return say(standing === null ? `age_${key}` : `before.${key}`, values);
}

function knownZone(name) {
  try {
    return new Intl.DateTimeFormat(language, { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

export function moment(at, dateStyle = "long") {
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { dateStyle, timeStyle: "short", timeZone }).format(new Date(at));
}

export function clockTime(at) {
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { timeStyle: "short", timeZone }).format(new Date(at));
}

// `isStored`: nobody says when it was measured, only when it was stored is known.
export function toldAge(at, isStored) {
  return isStored ? say("age_stored", { age: ageOf(at) }) : ageOf(at);
}

export function showAge(element, at, isStored = false) {
  element.toggleAttribute("data-stored", isStored);
  if (at === null || at === undefined) {
    element.removeAttribute("datetime");
    element.removeAttribute("data-at");
  } else {
    element.dateTime = new Date(at).toISOString();
    element.dataset.at = at;
    element.title = isStored ? say("age_undated", { moment: moment(at) }) : moment(at);
  }
  const text = toldAge(at, isStored);
  if (element.textContent !== text) element.textContent = text;
}

export const wantsMotion = !matchMedia("(prefers-reduced-motion: reduce)").matches;
