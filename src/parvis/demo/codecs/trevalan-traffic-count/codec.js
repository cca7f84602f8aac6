function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 6 || b.length !== 9 || b[0] !== 0x06 || b[1] === 0) {
    return { data: {}, warnings: [], errors: ["not a traffic frame"] };
  }
  var vehicles = uint16(b, 2);
  var data = {
    interval_s: b[1],
    vehicles: vehicles,
    heavy_vehicles: uint16(b, 4),
    vehicles_per_h: Math.round((vehicles * 3600) / b[1]),
    occupancy_percent: b[7] / 2,
    battery_percent: b[8]
  };
  if (vehicles > 0) {
    data.speed_km_per_h = b[6];
  }
  return { data: data, warnings: [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}
