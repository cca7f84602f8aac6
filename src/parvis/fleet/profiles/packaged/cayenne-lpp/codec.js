// Cayenne Low Power Payload. A value is channel, type (an IPSO object's number less 3200), bytes, big-endian.
// Types, sizes and resolutions: myDevices, "Cayenne LPP", data types; those of IPSO objects beyond them as the
// libraries for devices have them (ElectronicCats/CayenneLPP, smlng/pycayennelpp).
function findType(number) {
  switch (number) {
    case 0: return { name: "digital_in", size: 1 };
    case 1: return { name: "digital_out", size: 1 };
    case 2: return { name: "analog_in", size: 2, resolution: 100, signed: true };
    case 3: return { name: "analog_out", size: 2, resolution: 100, signed: true };
    case 100: return { name: "generic", size: 4 };
    case 101: return { name: "illuminance", size: 2 };
    case 102: return { name: "presence", size: 1 };
    case 103: return { name: "temperature", size: 2, resolution: 10, signed: true };
    case 104: return { name: "relative_humidity", size: 1, resolution: 2 };
    case 113: return { name: "accelerometer", size: 6, axes: ["x", "y", "z"], resolutions: [1000, 1000, 1000], signed: true };
    case 115: return { name: "barometric_pressure", size: 2, resolution: 10 };
    case 116: return { name: "voltage", size: 2, resolution: 100 };
    case 117: return { name: "current", size: 2, resolution: 1000 };
    case 118: return { name: "frequency", size: 4 };
    case 120: return { name: "percentage", size: 1 };
    case 121: return { name: "altitude", size: 2, signed: true };
    case 122: return { name: "load", size: 3, resolution: 1000, signed: true };
    case 125: return { name: "concentration", size: 2 };
    case 128: return { name: "power", size: 2 };
    case 130: return { name: "distance", size: 4, resolution: 1000 };
    case 131: return { name: "energy", size: 4, resolution: 1000 };
    case 132: return { name: "direction", size: 2 };
    case 133: return { name: "unix_time", size: 4 };
    case 134: return { name: "gyrometer", size: 6, axes: ["x", "y", "z"], resolutions: [100, 100, 100], signed: true };
    case 135: return { name: "colour", size: 3, axes: ["red", "green", "blue"], resolutions: [1, 1, 1] };
    case 136: return {
      name: "gps", size: 9, axes: ["latitude", "longitude", "altitude"], resolutions: [10000, 10000, 100], signed: true
    };
    case 142: return { name: "switch", size: 1 };
  }
}

function decodeUplink(input) {
  var bytes = input.bytes, data = {}, at = 0;
  while (at < bytes.length) {
    var type = findType(bytes[at + 1]);
    if (!type) {
      return { data: {}, warnings: [], errors: ["unknown type " + bytes[at + 1] + " at byte " + at] };
    }
    if (at + 2 + type.size > bytes.length) {
      return { data: {}, warnings: [], errors: ["the frame ends within " + type.name] };
    }
    var name = type.name in data ? type.name + "_" + bytes[at] : type.name;
    data[name] = type.axes ? readAxes(bytes, at + 2, type) : readNumber(bytes, at + 2, type.size, type);
    at += 2 + type.size;
  }
  return { data: data, warnings: [], errors: [] };
}

function readAxes(bytes, at, type) {
  var size = type.size / type.axes.length, axes = {};
  for (var i = 0; i < type.axes.length; i++) {
    var form = { resolution: type.resolutions[i], signed: type.signed };
    axes[type.axes[i]] = readNumber(bytes, at + i * size, size, form);
  }
  return axes;
}

function readNumber(bytes, at, size, form) {
  var value = 0;
  for (var i = 0; i < size; i++) value = value * 256 + bytes[at + i];
  var range = Math.pow(256, size);
  if (form.signed && value >= range / 2) value -= range;
  return value / (form.resolution || 1);
}

// For the device: channel, hundredths in two bytes, again and again, then 255. {"value_3": 21.5}, {"switch_3": true}.
function encodeDownlink(input) {
  var bytes = [], errors = [];
  for (var name in input.data) {
    var channel = Number((/_(\d+)$/.exec(name) || [])[1]);
    var hundredths = Math.round(Number(input.data[name]) * 100);
    if (!(channel < 255)) errors.push(name + " names no channel: write value_3 for channel 3");
    else if (!(hundredths >= -32768 && hundredths <= 32767)) errors.push(name + " is no number from -327.68 to 327.67");
    else bytes.push(channel, (hundredths >> 8) & 255, hundredths & 255);
  }
  if (!bytes.length && !errors.length) errors.push("no value for a channel");
  return errors.length ? { errors: errors } : { fPort: 1, bytes: bytes.concat(255), warnings: [], errors: [] };
}

function decodeDownlink(input) {
  var bytes = input.bytes, data = {};
  for (var at = 0; at < bytes.length && bytes[at] !== 255; at += 3) {
    if (at + 2 >= bytes.length) return { data: {}, warnings: [], errors: ["the frame ends within a value"] };
    data["value_" + bytes[at]] = readNumber(bytes, at + 1, 2, { resolution: 100, signed: true });
  }
  return { data: data, warnings: [], errors: [] };
}
