// Dates and numbers in the words of a language, which the engine knows one of only. Without time zones of their own.
(function () {
  "use strict";
  const two = (value) => String(value).padStart(2, "0");
  const day = (date) => [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  const clock = (date) => [date.getHours(), two(date.getMinutes()), two(date.getSeconds())];

  function twelveHours(date) {
    const [hours, minutes, seconds] = clock(date);
    return `${hours % 12 || 12}:${minutes}:${seconds} ${hours < 12 ? "AM" : "PM"}`;
  }
  const twentyFourHours = (date) => [two(date.getHours()), ...clock(date).slice(1)].join(":");
  const slashed = ([year, month, dayOfMonth]) => `${two(dayOfMonth)}/${two(month)}/${year}`;
  const FORMS = {
    "en-US": { day: ([year, month, dayOfMonth]) => `${month}/${dayOfMonth}/${year}`, time: twelveHours, between: ", " },
    "en-GB": { day: slashed, time: twentyFourHours, between: ", " },
    fr: { day: slashed, time: twentyFourHours, between: " " },
    de: {
      day: ([year, month, dayOfMonth]) => `${dayOfMonth}.${month}.${year}`, time: twentyFourHours, between: ", ",
    },
  };
  const GROUPS = { "en-US": [",", "."], "en-GB": [",", "."], fr: ["\u202f", ","], de: [".", ","] };
  const chosen = (table, locale) => {
    const name = String(Array.isArray(locale) ? locale[0] : locale);
    return table[name] || table[name.split("-")[0]] || table["en-US"];
  };
  const put = (target, name, value) =>
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
  const words = (write) =>
    function (locale) {
      return isNaN(this.getTime()) ? "Invalid Date" : write(this, chosen(FORMS, locale));
    };
  put(Date.prototype, "toLocaleDateString", words((date, form) => form.day(day(date))));
  put(Date.prototype, "toLocaleTimeString", words((date, form) => form.time(date)));
  put(Date.prototype, "toLocaleString", words((date, form) => form.day(day(date)) + form.between + form.time(date)));

  put(Number.prototype, "toLocaleString", function (locale, options) {
    const value = Number(this);
    if (!Number.isFinite(value)) return String(value).replace("Infinity", "\u221e");
    const { minimumFractionDigits: least = 0, maximumFractionDigits: most = Math.max(least, 3) } = options || {};
    const [group, point] = chosen(GROUPS, locale);
    const [whole, fraction = ""] = Math.abs(value).toFixed(most).split(".");
    const needed = fraction.replace(/0+$/, "").padEnd(least, "0");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, group);
    return (value < 0 ? "-" : "") + grouped + (needed ? point + needed : "");
  });
})();
