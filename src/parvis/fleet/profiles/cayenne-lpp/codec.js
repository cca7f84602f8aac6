// Cayenne Low Power Payload. Types, sizes and resolutions: myDevices, "Cayenne LPP", data types.
var TYPES = {
  0: { name: "digital_in", size: 1, resolution: 1 },
  1: { name: "digital_out", size: 1, resolution: 1 },
  2: { name: "analog_in", size: 2, resolution: 100, signed: true },
  3: { name: "analog_out", size: 2, resolution: 100, signed: true },
  101: { name: "illuminance", size: 2, resolution: 1 },
  102: { name: "presence", size: 1, resolution: 1 },
  103: { name: "temperature", size: 2, resolution: 10, signed: true },
  104: { name: "relative_humidity", size: 1, resolution: 2 },
  113: { name: "accelerometer", size: 6, axes: ["x", "y", "z"], resolutions: [1000, 1000, 1000] },
  115: { name: "barometric_pressure", size: 2, resolution: 10 },
  134: { name: "gyrometer", size: 6, axes: ["x", "y", "z"], resolutions: [100, 100, 100] },
  136: { name: "gps", size: 9, axes: ["latitude", "longitude", "altitude"], resolutions: [10000, 10000, 100] }
};

function decodeUplink(input) {
  var bytes = input.bytes, data = {}, at = 0;
  while (at < bytes.length) {
    var type = TYPES[bytes[at + 1]];
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
  type.axes.forEach(function (axis, index) {
    var form = { resolution: type.resolutions[index], signed: true };
    axes[axis] = readNumber(bytes, at + index * size, size, form);
  });
  return axes;
}

function readNumber(bytes, at, size, form) {
  var value = 0;
  for (var i = 0; i < size; i++) value = value * 256 + bytes[at + i];
  var range = Math.pow(256, size);
  if (form.signed && value >= range / 2) value -= range;
  return value / form.resolution;
}
