var VERSION = 0x21;
var FULL_MV = 3600;
var EMPTY_MV = 2800;

function decodeUplink(input) {
  var b = input.bytes;
  if (input.fPort !== 10 || b.length !== 12 || b[0] !== VERSION) {
    return { data: {}, warnings: [], errors: ["not a meter frame"] };
  }
  var litres = Math.pow(10, (b[1] >> 4) & 3);
  var data = {
    pulse_weight_l: litres,
    volume_l: uint32(b, 2) * litres,
    flow_l_per_h: uint16(b, 6) * litres,
    lowest_flow_l_per_h: uint16(b, 8) * litres,
    leak: b[1] & 1,
    backflow: (b[1] >> 1) & 1,
    tamper: (b[1] >> 2) & 1,
    battery_mv: uint16(b, 10)
  };
  data.battery_percent = percentOfRange(data.battery_mv);
  return { data: data, warnings: data.leak ? ["continuous flow"] : [], errors: [] };
}

function percentOfRange(millivolts) {
  var percent = Math.round(((millivolts - EMPTY_MV) / (FULL_MV - EMPTY_MV)) * 100);
  return Math.max(0, Math.min(100, percent));
}

function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function uint32(bytes, at) {
  return uint16(bytes, at) * 65536 + uint16(bytes, at + 2);
}
