function decodeUplink(input) {
  var bytes = input.bytes;
  if (bytes.length < 3 || bytes.length > 4) {
    return { data: {}, warnings: [], errors: ["expected 3 or 4 bytes, got " + bytes.length] };
  }
  var tenths = ((bytes[0] << 24) >> 16) | bytes[1];
  var data = { temperature_c: tenths / 10, humidity_percent: bytes[2] };
  if (bytes.length === 4) data.battery_percent = bytes[3];
  return { data: data, warnings: [], errors: [] };
}
