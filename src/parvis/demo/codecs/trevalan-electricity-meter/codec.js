function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 30 || b.length !== 12 || b[0] !== 0x40) {
    return { data: {}, warnings: [], errors: ["not an electricity frame"] };
  }
  var data = {
    import_kwh: uint32LE(b, 1) / 10,
    power_w: uint32LE(b, 5) | 0,
    power_factor: ((b[9] << 24) >> 24) / 100,
    voltage_v: (b[10] | (b[11] << 8)) / 10
  };
  return { data: data, warnings: [], errors: [] };
}

function uint32LE(bytes, at) {
  return (bytes[at] | (bytes[at + 1] << 8)) + (bytes[at + 2] | (bytes[at + 3] << 8)) * 65536;
}
