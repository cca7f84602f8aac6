// Runs after the codec in its context and gives the function that Parvis calls: (strict, [fPort, time, length, ...bytes]*).
// What it needs of the language was taken before the codec could change it.
(function (language) {
  "use strict";
  const { stringify, Date, isFinite, String } = language;
  const RESULT_LIMIT = 32768;
  const exported = (name) =>
    typeof module.exports[name] === "function" ? module.exports[name] : exports[name];

  function entry() {
    if (typeof decodeUplink === "function") return decodeUplink;
    if (typeof exported("decodeUplink") === "function") return exported("decodeUplink");
    // ChirpStack v3 has three parameters here, and another order than The Things Network v2 below.
    if (typeof Decode === "function") return (input) => ({ data: Decode(input.fPort, input.bytes, {}) });
    if (typeof Decoder === "function") return (input) => ({ data: Decoder(input.bytes, input.fPort) });
    throw new Error("no function decodeUplink(input), Decode(fPort, bytes) or Decoder(bytes, port)");
  }

  function finite(_name, value) {
    if (typeof value === "number" && !isFinite(value)) throw new Error("a number that is not finite");
    return value;
  }

  function written(result, strict) {
    let text;
    try {
      text = stringify(result, strict ? finite : undefined);
    } catch (error) {
      return fault("BAD_RESULT", error);
    }
    if (text === undefined || text[0] !== "{") return fault("BAD_RESULT", "the codec returned no object");
    return text.length > RESULT_LIMIT ? fault("BAD_RESULT", "the codec returned too much") : text;
  }

  function fault(kind, error) {
    const detail = String((error && error.message) || error).slice(0, 500);
    const outOfMemory = detail === "out of memory";
    return stringify({ fault: outOfMemory ? "OUT_OF_MEMORY" : kind, detail });
  }

  const decode = entry();

  return function (strict, ...values) {
    const results = [];
    for (let at = 0; at < values.length; ) {
      const start = at + 3;
      const bytes = values.slice(start, start + values[at + 2]);
      try {
        const result = decode({ bytes, fPort: values[at], recvTime: new Date(values[at + 1]), variables: {} });
        results.push(written(result, strict));
      } catch (error) {
        results.push(fault("THREW", error));
      }
      at = start + bytes.length;
    }
    return results.join(","); // nothing added here: a concatenated string (a rope) cannot leave the engine
  };
})
