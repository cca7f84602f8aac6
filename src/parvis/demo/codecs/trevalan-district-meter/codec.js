function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 11 || b.length !== 11 || b[0] !== 0x22) {
    return { data: {}, warnings: [], errors: ["not a district meter frame"] };
  }
  var data = {
    leak: b[1] & 1,
    volume_m3: uint32(b, 2) / 10,
    flow_m3_per_h: uint16(b, 6) / 100,
    lowest_flow_m3_per_h: uint16(b, 8) / 100,
    battery_percent: b[10]
  };
  return { data: data, warnings: data.leak ? ["high night flow"] : [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function uint32(bytes, at) {
  return uint16(bytes, at) * 65536 + uint16(bytes, at + 2);
}
