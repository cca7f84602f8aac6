// A codec's local time is UTC wherever this machine stands, as it is in The Things Stack.
(function () {
  "use strict";
  const Native = Date;
  const { UTC, parse } = Native;
  const put = (target, name, value) =>
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
  const HAS_ZONE = /(?:Z|UTC|GMT|[-+]\d\d:?\d\d)\s*(?:\([^)]*\))?\s*$/i;
  const IS_DAY = /^\s*[-+]?\d{4,6}(?:-\d\d(?:-\d\d)?)?\s*$/;
  const offset = Native.prototype.getTimezoneOffset;
  const offsetMs = (time) => offset.call(new Native(time)) * 60000;

  function read(text) {
    const time = parse(text);
    return HAS_ZONE.test(text) || IS_DAY.test(text) ? time : time - offsetMs(time);
  }

  function timeOf(given) {
    if (given.length > 1) return UTC(...given);
    return typeof given[0] === "string" ? read(given[0]) : given[0];
  }

  function UtcDate(...given) {
    if (!new.target) return new UtcDate().toString();
    return Reflect.construct(Native, given.length ? [timeOf(given)] : [], new.target);
  }
  const PARTS = ["FullYear", "Month", "Date", "Hours", "Minutes", "Seconds", "Milliseconds"];
  const own = Native.prototype;
  const isoString = own.toISOString;
  for (const part of PARTS) {
    put(own, `get${part}`, own[`getUTC${part}`]);
    put(own, `set${part}`, own[`setUTC${part}`]);
  }
  put(own, "getDay", own.getUTCDay);
  put(own, "getTimezoneOffset", () => 0);
  const [dayText, timeText] = [own.toUTCString, isoString];
  const words = (write) =>
    function () {
      return isNaN(this.getTime()) ? "Invalid Date" : write(this);
    };
  const day = (date) => dayText.call(date).replace(/^(\w+), (\d+) (\w+) (-?\d+).*/, "$1 $3 $2 $4");
  const time = (date) => `${timeText.call(date).slice(-13, -5)} GMT+0000 (Coordinated Universal Time)`;
  put(own, "toDateString", words(day));
  put(own, "toTimeString", words(time));
  put(own, "toString", words((date) => `${day(date)} ${time(date)}`));
  UtcDate.prototype = own;
  put(own, "constructor", UtcDate);
  put(UtcDate, "now", Native.now);
  put(UtcDate, "UTC", UTC);
  put(UtcDate, "parse", (text) => read(String(text)));
  put(globalThis, "Date", UtcDate);
})();
