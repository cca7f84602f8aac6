// The bar that takes map and list to a moment of the past: a slider, steps, and a player.

import { moment as momentText, say } from "../words.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DRAG_MS = 160;
const FRAME_MS = 500;
const STEPS_MIN = [[24, 5], [168, 15], [720, 60], [2160, 120]];

export class Replay {
  // `show(at)` brings the moment (null: now) onto the page and resolves once it is there.
  constructor(bar, button, { at, show, onToggle }) {
    this.bar = bar;
    this.button = button;
    this.show = show;
    this.onToggle = onToggle;
    this.at = at;
    this.isPlaying = false;
    this.dragging = null;
    this.slider = this.find("[data-replay-time]");
    this.span = this.find("[data-replay-span]");
    this.speed = this.find("[data-replay-speed]");
    button.addEventListener("click", () => (this.isOpen ? this.leave() : this.open()));
    this.find("[data-replay-close]").addEventListener("click", () => this.leave());
    this.find("[data-replay-play]").addEventListener("click", () => this.toggle());
    for (const step of bar.querySelectorAll("[data-replay-step]")) {
      step.addEventListener("click", () => this.step(Number(step.dataset.replayStep)));
    }
    this.slider.addEventListener("input", () => this.drag());
    this.span.addEventListener("change", () => this.setSpan());
    bar.addEventListener("keydown", (event) => this.pressed(event));
    if (at !== null) this.open();
  }

  get isOpen() {
    return !this.bar.hidden;
  }

  get stepMs() {
    return STEPS_MIN.find(([hours]) => hours === Number(this.span.value))[1] * MINUTE;
  }

  find(selector) {
    return this.bar.querySelector(selector);
  }

  open() {
    this.bar.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    if (this.at !== null) this.widen();
    this.setSpan();
    this.onToggle(true);
    if (this.at === null) this.slider.focus({ preventScroll: true });
  }

  leave() {
    this.pause();
    this.bar.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.onToggle(false);
    this.button.focus({ preventScroll: true });
    if (this.at !== null) this.go(null);
  }

  // The shortest span that holds the moment.
  widen() {
    const hours = (Date.now() - this.at) / HOUR;
    const fitting = [...this.span.options].find((option) => Number(option.value) >= hours);
    this.span.value = (fitting ?? this.span.options[this.span.options.length - 1]).value;
  }

  setSpan() {
    this.to = Date.now();
    this.from = this.to - Number(this.span.value) * HOUR;
    if (this.at !== null && this.at < this.from) this.from = this.at;
    this.slider.min = 0;
    this.slider.max = Math.ceil((this.to - this.from) / this.stepMs);
    this.find("[data-replay-from]").textContent = momentText(this.from, "medium");
    this.tell();
  }

  tell() {
    const steps = Number(this.slider.max);
    this.slider.value = this.at === null ? steps : steps - Math.round((this.to - this.at) / this.stepMs);
    const text = this.at === null ? say("map.now") : say("map.as_it_was", { moment: momentText(this.at, "medium") });
    this.find("[data-replay-when]").textContent = text;
    this.slider.setAttribute("aria-valuetext", this.at === null ? say("map.now") : momentText(this.at));
  }

  drag() {
    this.pause();
    const back = Number(this.slider.max) - Number(this.slider.value);
    this.at = back <= 0 ? null : Math.round((this.to - back * this.stepMs) / MINUTE) * MINUTE;
    this.tell();
    clearTimeout(this.dragging);
    this.dragging = setTimeout(() => this.show(this.at), DRAG_MS);
  }

  step(steps) {
    this.pause();
    const at = Math.round(((this.at ?? Date.now()) + steps * this.stepMs) / MINUTE) * MINUTE;
    this.go(at >= Date.now() ? null : Math.max(at, this.from));
  }

  go(at) {
    this.at = at;
    this.tell();
    return this.show(at);
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  pause() {
    if (this.isPlaying) this.showPlaying(false);
  }

  // As fast as was asked for, whatever a picture takes: where pictures take long, fewer are shown.
  async play() {
    this.showPlaying(true);
    const turn = (this.turn = (this.turn ?? 0) + 1);
    if (this.at === null) await this.go(this.from);
    let shownAt = performance.now();
    while (this.isPlaying && this.turn === turn) {
      const early = FRAME_MS - (performance.now() - shownAt);
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      if (!this.isPlaying || this.turn !== turn) return;
      const now = performance.now();
      const at = this.at + ((now - shownAt) / 1_000) * Number(this.speed.value) * MINUTE;
      shownAt = now;
      if (at >= this.to) {
        this.pause();
        await this.go(null);
        return;
      }
      await this.go(Math.round(at));
    }
  }

  showPlaying(isPlaying) {
    this.isPlaying = isPlaying;
    const button = this.find("[data-replay-play]");
    button.setAttribute("aria-pressed", String(isPlaying));
    button.title = say(isPlaying ? "map.pause" : "map.play");
    button.querySelector("[data-on-pause]").hidden = isPlaying;
    button.querySelector("[data-on-play]").hidden = !isPlaying;
  }

  pressed(event) {
    const isField = event.target.matches("select, button");
    if (event.key === "Escape") this.leave();
    else if ((event.key === " " && !isField) || (event.key === "k" && !event.target.matches("select"))) this.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
