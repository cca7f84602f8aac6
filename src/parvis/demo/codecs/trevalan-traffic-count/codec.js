function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 6 || b.length !== 10 || b[0] !== 0x07 || uint16(b, 1) === 0) {
    return { data: {}, warnings: [], errors: ["not a traffic frame"] };
  }
  var vehicles = uint16(b, 3);
  var interval = uint16(b, 1);
  var data = {
    interval_s: interval,
    vehicles: vehicles,
    heavy_vehicles: uint16(b, 5),
    vehicles_per_h: Math.round((vehicles * 3600) / interval),
    occupancy_percent: b[8] / 2,
    battery_percent: b[9]
  };
  if (vehicles > 0) {
    data.speed_km_per_h = b[7];
  }
  return { data: data, warnings: [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}
