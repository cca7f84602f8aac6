function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 20 || b.length !== 5) {
    return { data: {}, warnings: [], errors: ["not a level frame"] };
  }
  var data = {
    level_m: int16(b, 0) / 1000,
    temperature_c: int16(b, 2) / 100,
    battery_percent: b[4]
  };
  return { data: data, warnings: data.battery_percent < 15 ? ["battery low"] : [], errors: [] };
}

function int16(bytes, at) {
  return (((bytes[at] << 8) | bytes[at + 1]) << 16) >> 16;
}
