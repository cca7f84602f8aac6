function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 7 || b.length !== 7 || b[0] !== 0x01) {
    return { data: {}, warnings: [], errors: ["not a bike counter frame"] };
  }
  var data = {
    interval_s: b[1] * 60,
    bikes_in: uint16(b, 2),
    bikes_out: uint16(b, 4),
    bikes_per_h: b[1] ? Math.round(((uint16(b, 2) + uint16(b, 4)) * 60) / b[1]) : 0,
    battery_percent: b[6]
  };
  return { data: data, warnings: data.battery_percent < 15 ? ["battery low"] : [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}
