// Runs before the codec and gives what the engine later needs of the language, before the codec could change it.
// Adds what codecs expect of Node and the language itself does not have. Nothing here does I/O.
(function () {
  "use strict";
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  const silent = () => undefined;
  const METHODS = ["log", "info", "warn", "error", "debug", "trace", "dir", "table", "assert", "count"];
  const TIMES = ["group", "groupCollapsed", "groupEnd", "time", "timeEnd", "timeLog"];
  define("console", Object.fromEntries([...METHODS, ...TIMES].map((name) => [name, silent])));
  define("global", globalThis);
  define("module", undefined);
  define("exports", undefined);
  const MODULES = {
    buffer: () => ({ Buffer: globalThis.Buffer, atob, btoa }),
    util: () => ({ TextDecoder: globalThis.TextDecoder, TextEncoder: globalThis.TextEncoder }),
  };
  define("require", (name) => {
    const module = MODULES[String(name).replace(/^node:/, "")];
    if (module) return module();
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
  });

  // A network server gives the time of reception as a Date, a test bench as text: this one answers to both.
  class ReceptionTime extends Date {
    #text;

    static written(text) {
      const time = new ReceptionTime(text);
      time.#text = text;
      return time;
    }

    get text() {
      return this.#text === undefined ? this.toISOString() : this.#text;
    }

    toJSON() {
      return this.text;
    }
  }
  const TEXT = ["split", "slice", "substring", "substr", "replace", "match", "search", "indexOf", "includes", "trim",
    "startsWith", "endsWith", "charAt", "charCodeAt", "concat", "padStart", "padEnd"];
  for (const name of TEXT) {
    const method = String.prototype[name];
    Object.defineProperty(ReceptionTime.prototype, name, {
      value(...given) {
        return method.apply(this.text, given);
      },
      writable: true,
      configurable: true,
    });
  }
  return {
    ReceptionTime, String, Number, TypeError, isNaN: Number.isNaN, parse: JSON.parse, stringify: JSON.stringify,
    keys: Object.keys, apply: Reflect.apply, isArray: Array.isArray, fromCharCode: String.fromCharCode,
  };
})();
