// Runs after the codec in its context. `program` is the codec as one function: called, it gives its routines as new, so
// that no frame sees what an earlier one left behind (The Things Stack and ChirpStack start a codec anew as well).
(function (language, program, forms) {
  "use strict";
  const { ReceptionTime, String, Number, TypeError, isNaN, parse, stringify, keys, apply, isArray } = language;
  const RESULT_LIMIT = 65536;
  const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));
  const FORMS = {
    published: (routine) => routine,
    port_first: (routine) => (input) => ({ data: routine(input.fPort, input.bytes, input.variables) }),
    bytes_first: (routine) => (input) => ({ data: routine(input.bytes, input.fPort) }),
    hex: (routine) => (input) => ({ data: routine(input.bytes.map((byte) => HEX[byte]).join(""), input.fPort) }),
    port_and_data: (routine) => (input) => ({ bytes: routine(input.fPort, input.data, {}), fPort: input.fPort }),
    data_and_port: (routine) => (input) => ({ bytes: routine(input.data, input.fPort), fPort: input.fPort }),
  };

  function routines() {
    for (const name of keys(globalThis)) delete globalThis[name];
    const module = { exports: {} };
    globalThis.module = module;
    globalThis.exports = module.exports;
    return apply(program, globalThis, []);
  }

  function routine(at) {
    const found = routines()[at];
    return FORMS[forms[at]](found);
  }

  // What cannot be normalized is still decoded.
  function normalized(answer) {
    if (!answer || !answer.data || (answer.errors && answer.errors.length)) return answer;
    const warnings = isArray(answer.warnings) ? answer.warnings : [];
    let result;
    try {
      result = routine(1)(answer) || {};
    } catch (error) {
      result = { errors: [(error && error.message) || error] };
    }
    const { data, warnings: more, errors } = result;
    const told = [...warnings, ...(isArray(more) ? more : []), ...(isArray(errors) ? errors : [])];
    if (!data || (errors && errors.length)) return { data: answer.data, warnings: told };
    const plain = isArray(data) ? (data.length === 1 ? data[0] : { measurements: data }) : data;
    return { data: { ...answer.data, normalized: plain }, warnings: told };
  }

  const plainNumber = (_name, value) => (typeof value === "bigint" ? Number(value) : value);

  function written(result) {
    try {
      return stringify(result);
    } catch (error) {
      if (error instanceof TypeError) return stringify(result, plainNumber);
      throw error;
    }
  }

  function answer(make) {
    let result;
    try {
      result = make();
    } catch (error) {
      return fault("THREW", error);
    }
    try {
      const text = written(result);
      if (text === undefined || text[0] !== "{") return fault("BAD_RESULT", "the codec returned no object");
      return text.length > RESULT_LIMIT ? fault("BAD_RESULT", "the codec returned too much") : text;
    } catch (error) {
      return fault("BAD_RESULT", error);
    }
  }

  function fault(kind, error) {
    // Without memory for an error the engine throws null, as no codec does.
    const detail = error === null ? "out of memory" : String((error && error.message) || error).slice(0, 500);
    return stringify({ fault: detail === "out of memory" ? "OUT_OF_MEMORY" : kind, detail });
  }

  function decode(normalizes, values) {
    const results = [];
    for (let at = 0; at < values.length; ) {
      const start = at + 3;
      const bytes = values.slice(start, start + values[at + 2]);
      const input = { bytes, fPort: values[at], recvTime: new ReceptionTime(values[at + 1]), variables: {} };
      at = start + bytes.length;
      const one = () => routine(0)(input);
      results.push(answer(normalizes ? () => normalized(one()) : one));
    }
    return results.join(","); // nothing added here: a concatenated string (a rope) cannot leave the engine
  }

  function call(at, text) {
    const input = parse(text);
    if (typeof input.recvTime === "string") {
      const time = ReceptionTime.written(input.recvTime);
      if (!isNaN(+time)) input.recvTime = time;
    }
    return answer(() => routine(at)(input));
  }

  return (kind, ...values) => (kind < 0 ? decode(kind === -2, values) : call(kind, values[0]));
});
