var STATES = ["ok", "lidOpen", "dropped", "burning"];

function decodeUplink(input) {
  var data = {};
  var errors = [];
  if (input.fPort !== 85) {
    return { data: data, warnings: [], errors: ["unexpected port " + input.fPort] };
  }
  for (var i = 0; i < input.bytes.length && errors.length === 0; ) {
    i = readChannel(input.bytes, i, data, errors);
  }
  var warnings = data.battery_percent < 15 ? ["battery low"] : [];
  return { data: data, warnings: warnings, errors: errors };
}

var CHANNELS = {
  1: { size: 1, read: function (b, at, data) { data.battery_percent = b[at]; } },
  2: { size: 2, read: function (b, at, data) { data.distance_mm = b[at] | (b[at + 1] << 8); } },
  3: { size: 1, read: function (b, at, data) { data.fill_percent = b[at]; } },
  4: { size: 2, read: function (b, at, data) { data.temperature_c = int16LE(b, at) / 10; } },
  5: { size: 1, read: function (b, at, data) { data.state = STATES[b[at]] || "unknown"; } }
};

function readChannel(bytes, at, data, errors) {
  var channel = CHANNELS[bytes[at]];
  if (!channel) {
    errors.push("unknown channel " + bytes[at]);
    return bytes.length;
  }
  if (at + channel.size >= bytes.length) {
    errors.push("truncated frame");
    return bytes.length;
  }
  channel.read(bytes, at + 1, data);
  return at + 1 + channel.size;
}

function int16LE(bytes, at) {
  return ((bytes[at] | (bytes[at + 1] << 8)) << 16) >> 16;
}
