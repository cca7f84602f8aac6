var QUANTITIES = [
  { name: "temperature_c", size: 2, signed: true, stepsPerUnit: 10 },
  { name: "humidity_percent", size: 1, stepsPerUnit: 2 },
  { name: "pressure_hpa", size: 2, stepsPerUnit: 10 },
  { name: "pm25_ug_per_m3", size: 2, stepsPerUnit: 10 },
  { name: "pm10_ug_per_m3", size: 2, stepsPerUnit: 10 },
  { name: "no2_ug_per_m3", size: 2, stepsPerUnit: 10 },
  { name: "o3_ug_per_m3", size: 2, stepsPerUnit: 10 },
  { name: "wind_m_per_s", size: 1, stepsPerUnit: 10 },
  { name: "wind_from_deg", size: 2, stepsPerUnit: 1 },
  { name: "rain_mm", size: 1, stepsPerUnit: 10 },
  { name: "battery_percent", size: 1, stepsPerUnit: 1 }
];

function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 12 || b.length < 2) {
    return { data: {}, warnings: [], errors: ["not a station frame"] };
  }
  var mask = (b[0] << 8) | b[1];
  var data = {};
  var at = 2;
  for (var i = 0; i < QUANTITIES.length; i++) {
    if (mask & (1 << i)) {
      data[QUANTITIES[i].name] = readQuantity(b, at, QUANTITIES[i]);
      at += QUANTITIES[i].size;
    }
  }
  if (at !== b.length || mask >> QUANTITIES.length) {
    return { data: {}, warnings: [], errors: ["frame length does not fit its mask"] };
  }
  return { data: data, warnings: [], errors: [] };
}

function readQuantity(bytes, at, quantity) {
  var raw = quantity.size === 1 ? bytes[at] : (bytes[at] << 8) | bytes[at + 1];
  if (quantity.signed) {
    raw = (raw << 16) >> 16;
  }
  return raw / quantity.stepsPerUnit;
}
