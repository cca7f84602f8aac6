function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 18 || b.length !== 18 || b[0] !== 0x51) {
    return { data: {}, warnings: [], errors: ["not a heat meter frame"] };
  }
  var data = {
    energy_kwh: uint32(b, 1),
    volume_m3: uint32(b, 5) / 100,
    power_kw: uint16(b, 9) / 10,
    volume_flow_m3_per_h: uint16(b, 11) / 1000,
    flow_temperature_c: int16(b, 13) / 10,
    return_temperature_c: int16(b, 15) / 10,
    battery_percent: b[17]
  };
  return { data: data, warnings: data.battery_percent < 15 ? ["battery low"] : [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function int16(bytes, at) {
  return (uint16(bytes, at) << 16) >> 16;
}

function uint32(bytes, at) {
  return uint16(bytes, at) * 65536 + uint16(bytes, at + 2);
}
