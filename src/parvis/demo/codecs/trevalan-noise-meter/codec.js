function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 8 || b.length !== 6 || b[0] !== 0x60) {
    return { data: {}, warnings: [], errors: ["not a sound level frame"] };
  }
  var data = {
    laeq_db: uint16(b, 1) / 10,
    lamax_db: uint16(b, 3) / 10,
    battery_percent: b[5]
  };
  return { data: data, warnings: data.battery_percent < 15 ? ["battery low"] : [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}
