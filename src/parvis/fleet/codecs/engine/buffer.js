// Node's Buffer, as far as it works on bytes in memory. `text` is what text.js gives.
(function (text) {
  "use strict";
  class Bytes extends Uint8Array {}

  function Buffer(value, encodingOrOffset, length) {
    return typeof value === "number" ? Buffer.alloc(value) : Buffer.from(value, encodingOrOffset, length);
  }
  const own = Bytes.prototype;
  Object.setPrototypeOf(Buffer, Uint8Array);
  Buffer.prototype = own;
  const put = (target, name, value) =>
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
  put(own, "constructor", Buffer);
  Object.defineProperty(Buffer, Symbol.species, { get: () => Bytes });

  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const SEXTETS = new Map([...ALPHABET].map((character, value) => [character, value]));
  SEXTETS.set("-", 62).set("_", 63);
  const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));
  const characters = (bytes, mask) => Array.from(bytes, (byte) => String.fromCharCode(byte & mask)).join("");
  const codes = (string, mask) => Array.from({ length: string.length }, (_, at) => string.charCodeAt(at) & mask);

  function fromHex(string) {
    const bytes = [];
    for (let at = 0; at + 1 < string.length; at += 2) {
      const pair = string.slice(at, at + 2);
      if (!/^[0-9a-f]{2}$/i.test(pair)) break;
      bytes.push(parseInt(pair, 16));
    }
    return bytes;
  }

  function fromBase64(string) {
    const bytes = [];
    let bits = 0;
    let held = 0;
    for (const character of string) {
      if (character === "=") break;
      const value = SEXTETS.get(character);
      if (value === undefined) continue;
      held = ((held << 6) | value) & 0xffffff;
      bits += 6;
      if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255);
    }
    return bytes;
  }

  function toBase64(bytes) {
    const parts = [];
    for (let at = 0; at < bytes.length; at += 3) {
      const three = (bytes[at] << 16) | ((bytes[at + 1] || 0) << 8) | (bytes[at + 2] || 0);
      const four = [18, 12, 6, 0].map((shift) => ALPHABET[(three >> shift) & 63]).join("");
      parts.push(four.slice(0, Math.min(bytes.length - at, 3) + 1).padEnd(4, "="));
    }
    return parts.join("");
  }

  const toUrl = (bytes) => toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const fromUtf16 = (string) => codes(string, 0xffff).flatMap((code) => [code & 255, code >> 8]);
  const ENCODINGS = {
    utf8: [text.utf8Bytes, text.utf8Text],
    hex: [fromHex, (bytes) => Array.from(bytes, (byte) => HEX[byte]).join("")],
    base64: [fromBase64, toBase64],
    base64url: [fromBase64, toUrl],
    ascii: [(string) => codes(string, 255), (bytes) => characters(bytes, 127)],
    latin1: [(string) => codes(string, 255), (bytes) => characters(bytes, 255)],
    utf16le: [fromUtf16, text.utf16Text],
  };
  const NAMES = { "utf-8": "utf8", binary: "latin1", ucs2: "utf16le", "ucs-2": "utf16le", "utf-16le": "utf16le" };

  function find(encoding) {
    const name = String(encoding === undefined || encoding === null ? "utf8" : encoding).toLowerCase();
    return ENCODINGS[NAMES[name] || name];
  }

  function coding(encoding) {
    const found = find(encoding);
    if (!found) throw new TypeError(`Unknown encoding: ${encoding}`);
    return found;
  }

  const encoded = (string, encoding) => coding(encoding)[0](string);

  function made(bytes) {
    const buffer = new Bytes(bytes.length);
    buffer.set(bytes);
    return buffer;
  }

  Object.entries({
    from(value, encodingOrOffset, length) {
      if (typeof value === "string") return made(encoded(value, encodingOrOffset));
      if (value instanceof ArrayBuffer) return new Bytes(value, encodingOrOffset, length);
      if (value && value.type === "Buffer" && Array.isArray(value.data)) return made(value.data);
      if (value && typeof value === "object" && typeof value.length === "number") return made(Array.from(value));
      throw new TypeError(
        "The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object."
      );
    },
    of: (...bytes) => made(bytes),
    alloc(size, fill, encoding) {
      const buffer = new Bytes(size);
      return fill === undefined ? buffer : buffer.fill(fill, encoding);
    },
    allocUnsafe: (size) => new Bytes(size),
    allocUnsafeSlow: (size) => new Bytes(size),
    isBuffer: (value) => value instanceof Bytes,
    isEncoding: (encoding) => typeof encoding === "string" && find(encoding) !== undefined,
    byteLength: (value, encoding) => (typeof value === "string" ? encoded(value, encoding).length : value.byteLength),
    compare: (one, other) => own.compare.call(one, other),
    concat(list, size) {
      const total = size === undefined ? list.reduce((sum, one) => sum + one.length, 0) : size;
      const buffer = new Bytes(total);
      let at = 0;
      for (const one of list) {
        if (at >= total) break;
        const part = one.subarray(0, total - at);
        buffer.set(part, at);
        at += part.length;
      }
      return buffer;
    },
  }).forEach(([name, value]) => put(Buffer, name, value));

  function outOfRange(name, range, received) {
    const error = new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${received}`);
    return Object.assign(error, { code: "ERR_OUT_OF_RANGE" });
  }

  function checkOffset(buffer, offset, size) {
    if (typeof offset !== "number") {
      throw new TypeError(`The "offset" argument must be of type number. Received ${offset}`);
    }
    if (!Number.isInteger(offset)) throw outOfRange("offset", "an integer", offset);
    const last = buffer.length - size;
    if (last < 0) throw new RangeError("Attempt to access memory outside buffer bounds");
    if (offset < 0 || offset > last) throw outOfRange("offset", `>= 0 and <= ${last}`, offset);
  }

  const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);

  function limits(type, size) {
    if (/^Float/.test(type)) return undefined;
    const unsigned = /Uint/.test(type);
    const big = /^Big/.test(type);
    const bits = BigInt(size * 8);
    const lowest = unsigned ? 0n : -(1n << (bits - 1n));
    const highest = (1n << (unsigned ? bits : bits - 1n)) - 1n;
    return big ? [lowest, highest] : [Number(lowest), Number(highest)];
  }

  function checkValue(value, range) {
    if (range && (value < range[0] || value > range[1])) {
      throw outOfRange("value", `>= ${range[0]} and <= ${range[1]}`, value);
    }
  }

  const NUMBERS = [
    ["UInt8", 1, "Uint8"], ["Int8", 1, "Int8"], ["UInt16", 2, "Uint16"], ["Int16", 2, "Int16"],
    ["UInt32", 4, "Uint32"], ["Int32", 4, "Int32"], ["Float", 4, "Float32"], ["Double", 8, "Float64"],
    ["BigInt64", 8, "BigInt64"], ["BigUInt64", 8, "BigUint64"],
  ];
  for (const [name, size, type] of NUMBERS) {
    const range = limits(type, size);
    for (const order of size === 1 ? [""] : ["LE", "BE"]) {
      const read = function (offset = 0) {
        checkOffset(this, offset, size);
        return view(this)[`get${type}`](offset, order !== "BE");
      };
      const write = function (value, offset = 0) {
        checkValue(value, range);
        checkOffset(this, offset, size);
        view(this)[`set${type}`](offset, value, order !== "BE");
        return offset + size;
      };
      for (const alias of new Set([name, name.replace("UInt", "Uint")])) {
        put(own, `read${alias}${order}`, read);
        put(own, `write${alias}${order}`, write);
      }
    }
  }

  function readWhole(buffer, offset, size, little, signed) {
    checkOffset(buffer, offset, size);
    let value = 0;
    for (let at = 0; at < size; at++) value = value * 256 + buffer[offset + (little ? size - 1 - at : at)];
    return signed && value >= 2 ** (size * 8 - 1) ? value - 2 ** (size * 8) : value;
  }

  function writeWhole(buffer, value, offset, size, little, signed) {
    const highest = 2 ** (size * 8 - (signed ? 1 : 0)) - 1;
    checkValue(value, [signed ? -highest - 1 : 0, highest]);
    checkOffset(buffer, offset, size);
    let left = value < 0 ? value + 2 ** (size * 8) : value;
    for (let at = 0; at < size; at++) {
      buffer[offset + (little ? at : size - 1 - at)] = left % 256;
      left = Math.floor(left / 256);
    }
    return offset + size;
  }

  for (const [name, signed] of [["UInt", false], ["Uint", false], ["Int", true]]) {
    for (const order of ["LE", "BE"]) {
      put(own, `read${name}${order}`, function (offset, size) {
        return readWhole(this, offset, size, order === "LE", signed);
      });
      put(own, `write${name}${order}`, function (value, offset, size) {
        return writeWhole(this, value, offset, size, order === "LE", signed);
      });
    }
  }

  function needle(value, encoding) {
    if (typeof value === "string") return made(encoded(value, encoding));
    return typeof value === "number" ? made([value & 255]) : value;
  }

  function swap(size) {
    return function () {
      if (this.length % size) throw new RangeError(`Buffer size must be a multiple of ${size * 8}-bits`);
      for (let at = 0; at < this.length; at += size) Uint8Array.prototype.reverse.call(this.subarray(at, at + size));
      return this;
    };
  }

  Object.entries({
    toString(encoding, start = 0, end = this.length) {
      return coding(encoding)[1](this.subarray(Math.max(start, 0), Math.max(end, 0)));
    },
    toJSON() {
      return { type: "Buffer", data: Array.from(this) };
    },
    slice(start, end) {
      return this.subarray(start, end);
    },
    write(string, offset, length, encoding) {
      if (typeof offset === "string") [encoding, offset, length] = [offset, 0, undefined];
      if (typeof length === "string") [encoding, length] = [length, undefined];
      const at = offset || 0;
      const room = Math.min(length === undefined ? Infinity : length, this.length - at);
      const bytes = encoded(string, encoding).slice(0, room);
      this.set(bytes, at);
      return bytes.length;
    },
    fill(value, start, end, encoding) {
      if (typeof start === "string") [encoding, start, end] = [start, 0, undefined];
      const from = start || 0;
      const to = end === undefined ? this.length : end;
      const bytes = needle(value, encoding);
      for (let at = from; at < to; at++) this[at] = bytes.length ? bytes[(at - from) % bytes.length] : 0;
      return this;
    },
    copy(target, targetStart = 0, start = 0, end = this.length) {
      const part = Uint8Array.prototype.subarray.call(this, start, Math.min(end, start + target.length - targetStart));
      target.set(part, targetStart);
      return part.length;
    },
    equals(other) {
      return own.compare.call(this, other) === 0;
    },
    compare(other) {
      const common = Math.min(this.length, other.length);
      for (let at = 0; at < common; at++) if (this[at] !== other[at]) return this[at] < other[at] ? -1 : 1;
      return Math.sign(this.length - other.length);
    },
    indexOf(value, start = 0, encoding) {
      const wanted = needle(value, encoding);
      for (let at = start < 0 ? Math.max(this.length + start, 0) : start; at + wanted.length <= this.length; at++) {
        if (wanted.every((byte, index) => byte === this[at + index])) return at;
      }
      return -1;
    },
    includes(value, start, encoding) {
      return this.indexOf(value, start, encoding) >= 0;
    },
    swap16: swap(2),
    swap32: swap(4),
    swap64: swap(8),
  }).forEach(([name, value]) => put(own, name, value));

  put(globalThis, "Buffer", Buffer);
});
