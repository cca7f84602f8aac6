function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 22 || b.length !== 11 || b[0] !== 0x61) {
    return { data: {}, warnings: [], errors: ["not a pedestal frame"] };
  }
  var data = {
    import_kwh: uint32(b, 1) / 100,
    power_w: uint16(b, 5),
    volume_l: uint32(b, 7)
  };
  return { data: data, warnings: [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function uint32(bytes, at) {
  return uint16(bytes, at) * 65536 + uint16(bytes, at + 2);
}
