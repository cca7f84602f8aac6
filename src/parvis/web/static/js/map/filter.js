// The filter's sentence as a query, and what the page says of it.

const TYPING_MS = 350;
const NOT_AS_THEY_ARE = ["layer", "moment"];
const OF_NAMES = ["search", "commune"];

export class Filter {
  // `apply({ fit })` asks for the filtered objects anew; `moment()` is the moment shown, null: now.
  constructor(form, { apply, moment }) {
    this.form = form;
    this.apply = apply;
    this.moment = moment;
    this.typing = null;
    this.boxes = [...document.querySelectorAll(".layers input[name=layer]")];
    for (const box of this.boxes) box.addEventListener("change", () => apply({ fit: false }));
    form.addEventListener("change", (event) => this.changed(event.target));
    form.addEventListener("input", (event) => this.typed(event.target));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      apply({ fit: true });
    });
  }

  // As `query` says it: what was shown before a choice that was refused.
  restore(query) {
    for (const field of this.form.querySelectorAll("select[name], input[name]")) {
      if (!NOT_AS_THEY_ARE.includes(field.name)) field.value = query.get(field.name) ?? "";
    }
    if (query.has("area")) this.form.zone.value = "drawn";
    const off = (query.get("without") ?? "").split(",");
    for (const box of this.boxes) box.checked = !off.includes(box.value);
    this.show(this.told);
  }

  query() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) {
      if (NOT_AS_THEY_ARE.includes(name) || !value.trim()) continue;
      if (name !== "above" || !this.form.above.closest(".above").hidden) query.set(name, value.trim());
    }
    const without = this.boxes.filter((box) => !box.checked).map((box) => box.value);
    if (without.length) query.set("without", without.join(","));
    if (query.get("zone") === "drawn") query.delete("zone");
    else query.delete("area");
    if (this.moment() !== null) query.set("moment", new Date(this.moment()).toISOString());
    return query;
  }

  // What a change may decide: whether an object is of the set.
  wanted() {
    const query = this.query();
    const above = Number((query.get("above") ?? "").replace(",", ".") || NaN);
    return {
      state: query.get("state"),
      above: Number.isNaN(above) ? null : above,
      isOfZone: Boolean(this.form.zone.value),
      isOfNames: OF_NAMES.some((name) => query.has(name)),
    };
  }

  get shownDomains() {
    return this.boxes.filter((box) => box.checked).map((box) => box.value);
  }

  changed(field) {
    if (field.name === "type") this.form.above.value = "";
    if (field.name === "zone" && field.value !== "drawn") this.form.area.value = "";
    this.apply({ fit: true });
  }

  typed(field) {
    if (!field.matches("input") || field.type === "checkbox") return;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.apply({ fit: true, isTyping: true }), TYPING_MS);
  }

  show(told) {
    this.told = told;
    const { unit, without } = told;
    const above = this.form.querySelector(".above");
    above.hidden = unit === null;
    above.querySelector(".unit").textContent = unit ?? "";
    const off = this.form.querySelector("[data-without]");
    off.textContent = without;
    off.hidden = !without;
    this.form.querySelector(".clear").hidden = !this.query().toString();
    for (const choice of this.form.querySelectorAll(".choice")) {
      choice.classList.toggle("chosen", Boolean(choice.querySelector("select, input").value));
    }
    this.markRail();
  }

  // The rail shows which domain the filter has chosen.
  markRail() {
    const type = this.query().get("type");
    const chosen = this.form.type.selectedOptions[0]?.closest("optgroup")?.querySelector("option")?.value;
    for (const link of document.querySelectorAll(".rail a")) {
      const domain = new URL(link.href).searchParams.get("type");
      const isCurrent = type ? domain === chosen : link.pathname === "/console/map" && !domain;
      if (isCurrent) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
}
