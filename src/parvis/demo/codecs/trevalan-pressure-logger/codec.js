function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 14 || b.length !== 6 || b[0] !== 0x30) {
    return { data: {}, warnings: [], errors: ["not a pressure frame"] };
  }
  var data = {
    pressure_bar: uint16(b, 1) / 100,
    temperature_c: int16(b, 3) / 10,
    battery_percent: b[5]
  };
  return { data: data, warnings: data.battery_percent < 15 ? ["battery low"] : [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function int16(bytes, at) {
  return (uint16(bytes, at) << 16) >> 16;
}
