function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 3 || b.length !== 5) {
    return { data: {}, warnings: [], errors: ["not a parking frame"] };
  }
  var fault = (b[0] & 0x80) !== 0;
  var occupied = (b[0] & 1) !== 0;
  var data = {
    state: fault ? "unknown" : occupied ? "occupied" : "free",
    minutes_since_change: (b[1] << 8) | b[2],
    temperature_c: (b[3] << 24) >> 24,
    battery_percent: b[4]
  };
  return { data: data, warnings: fault ? ["magnetometer fault"] : [], errors: [] };
}
