var EMPTY_V = 2.4;
var FULL_V = 3.6;

function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 2 || b.length !== 10 || b[0] !== 0x10) {
    return { data: {}, warnings: [], errors: ["not a room climate frame"] };
  }
  var volts = (b[9] + 200) / 100;
  var data = {
    temperature_c: int16(b, 1) / 100,
    humidity_percent: b[3] / 2,
    co2_ppm: uint16(b, 4),
    illuminance_lx: uint16(b, 6),
    people: b[8],
    battery_v: volts,
    battery_percent: Math.max(0, Math.min(100, Math.round(((volts - EMPTY_V) / (FULL_V - EMPTY_V)) * 100)))
  };
  return { data: data, warnings: data.co2_ppm > 1500 ? ["room needs airing"] : [], errors: [] };
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function int16(bytes, at) {
  return (uint16(bytes, at) << 16) >> 16;
}
