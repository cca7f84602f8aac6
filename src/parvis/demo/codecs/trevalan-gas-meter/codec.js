function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 16 || b.length !== 8 || b[0] !== 0x50) {
    return { data: {}, warnings: [], errors: ["not a gas meter frame"] };
  }
  var data = {
    volume_m3: uint32(b, 1) / 100,
    flow_m3_per_h: uint16(b, 5) / 100,
    battery_percent: b[7]
  };
  return { data: data, warnings: data.battery_percent < 15 ? ["battery low"] : [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function uint32(bytes, at) {
  return uint16(bytes, at) * 65536 + uint16(bytes, at + 2);
}
