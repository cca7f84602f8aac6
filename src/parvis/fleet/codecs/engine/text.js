// TextDecoder and TextEncoder (WHATWG Encoding) for the encodings that devices use.
(function () {
  "use strict";
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  const WINDOWS_1252 =
    "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
    "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";
  const LABELS = { "utf8": "utf-8", "unicode-1-1-utf-8": "utf-8", "utf-16": "utf-16le", "ucs-2": "utf-16le" };
  for (const one of ["ascii", "us-ascii", "latin1", "iso-8859-1", "iso8859-1", "l1", "cp1252"]) {
    LABELS[one] = "windows-1252";
  }

  function utf8Bytes(text) {
    const bytes = [];
    for (const character of String(text)) {
      let code = character.codePointAt(0);
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
      if (code < 0x80) bytes.push(code);
      else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
      else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
      else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
    return bytes;
  }

  const LEADS = [[0xc2, 0xdf, 1, 31], [0xe0, 0xef, 2, 15], [0xf0, 0xf4, 3, 7]];
  const LOWEST = { 0xe0: 0xa0, 0xf0: 0x90 };
  const HIGHEST = { 0xed: 0x9f, 0xf4: 0x8f };

  function utf8Text(bytes, fatal) {
    const parts = [];
    for (let at = 0; at < bytes.length; ) {
      const first = bytes[at++];
      if (first < 0x80) {
        parts.push(String.fromCharCode(first));
        continue;
      }
      const lead = LEADS.find(([from, to]) => first >= from && first <= to);
      let code = lead ? first & lead[3] : -1;
      let lowest = LOWEST[first] || 0x80;
      let highest = HIGHEST[first] || 0xbf;
      for (let left = lead ? lead[2] : 0; left > 0; left--) {
        if (!(bytes[at] >= lowest && bytes[at] <= highest)) {
          code = -1;
          break;
        }
        code = (code << 6) | (bytes[at++] & 63);
        lowest = 0x80;
        highest = 0xbf;
      }
      if (code < 0 && fatal) throw new TypeError("The encoded data was not valid for encoding utf-8");
      parts.push(code < 0 ? "\ufffd" : String.fromCodePoint(code));
    }
    return parts.join("");
  }

  function utf16Text(bytes) {
    const parts = [];
    for (let at = 0; at + 1 < bytes.length; at += 2) parts.push(String.fromCharCode(bytes[at] | (bytes[at + 1] << 8)));
    return parts.join("");
  }

  const windowsText = (bytes) =>
    Array.from(bytes, (byte) => (byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252[byte - 0x80] : String.fromCharCode(byte)))
      .join("");

  const READERS = { "utf-8": utf8Text, "utf-16le": utf16Text, "windows-1252": windowsText };

  function bytesOf(source) {
    if (source === undefined) return [];
    if (source instanceof ArrayBuffer) return new Uint8Array(source);
    if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    throw new TypeError('The "list" argument must be an instance of ArrayBuffer or ArrayBufferView');
  }

  class TextDecoder {
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
      const name = String(label).trim().toLowerCase();
      this.encoding = LABELS[name] || name;
      if (!READERS[this.encoding]) throw new RangeError(`The "${label}" encoding is not supported`);
      this.fatal = fatal;
      this.ignoreBOM = ignoreBOM;
    }

    decode(source) {
      const text = READERS[this.encoding](bytesOf(source), this.fatal);
      return text[0] === "\ufeff" && !this.ignoreBOM ? text.slice(1) : text;
    }
  }

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }

    encode(text = "") {
      return Uint8Array.from(utf8Bytes(text));
    }
  }

  define("TextDecoder", TextDecoder);
  define("TextEncoder", TextEncoder);
  return { utf8Bytes, utf8Text, utf16Text };
})();
