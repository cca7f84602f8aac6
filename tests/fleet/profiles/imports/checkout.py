"""A small device repository, in the layout of The Things Network's."""

from pathlib import Path

FILES = {
    "index.yaml": """
vendors:
  - id: acme
    name: Acme Instruments
  - id: nobody
    name: Without a folder
""",
    "acme/index.yaml": """
endDevices:
  - climate
  - climate-outdoor
  - valve
  - missing
""",
    "acme/climate.yaml": """
name: Climate
description: Temperature and
  humidity.
sensors: [temperature, humidity]
firmwareVersions:
  - version: '1.0'
    profiles:
      EU863-870: {id: p, codec: climate-codec}
      US902-928: {id: p, codec: climate-codec}
""",
    "acme/climate-outdoor.yaml": """
name: Climate outdoor
firmwareVersions:
  - version: '1.0'
    profiles:
      EU863-870: {id: p, codec: climate-codec}
""",
    "acme/valve.yaml": """
name: "Valve \\"V\\""
battery: {type: AA}
firmwareVersions:
  - version: '1.0'
    profiles:
      EU863-870: {id: p, codec: valve-codec}
""",
    "acme/climate-codec.yaml": """
uplinkDecoder:
  fileName: climate.js
  examples:
    - description: Warm
      input:
        fPort: 1
        bytes: [0x01, 0x0F, 100]
        recvTime: 2023-07-19T07:51:25Z
      output:
        data: {TempC_SHT: 27.1, hum: 50, state: on, BatV: 3.3, at: 2023-07-19T07:51:25Z}
        warnings: []
      normalizedOutput:
        data:
          - air: {temperature: 27.1}
    - description: Wrong
      input: {fPort: 1, bytes: [0, 0, 0]}
      output:
        data: {TempC_SHT: 0, hum: 1, state: on, BatV: 3.3}
    - description: Too short
      input: {fPort: 1, bytes: [1]}
      output:
        errors: [too short]
""",
    "acme/climate.js": """
function decodeUplink(input) {
  if (input.bytes.length < 3) return {errors: ["too short"]};
  var raw = (input.bytes[0] << 8) | input.bytes[1];
  var data = {TempC_SHT: raw / 10, hum: input.bytes[2] / 2, state: "on", BatV: 3.3};
  if (input.recvTime) data.at = input.recvTime;
  return {data: data, warnings: []};
}
function normalizeUplink(input) { return {data: {air: {temperature: input.data.TempC_SHT}}}; }
""",
    "acme/valve-codec.yaml": """
uplinkDecoder:
  fileName: valve.js
  examples:
    - description: Open
      input: {fPort: 2, bytes: [1]}
      output: {data: {open: true, position: {lat: 48.1, lng: -1.5}}}
downlinkEncoder:
  fileName: valve-encoder.js
  examples:
    - description: Close
      input: {data: {open: false}}
      output: {fPort: 2, bytes: [0], warnings: [], errors: []}
downlinkDecoder:
  fileName: valve-encoder.js
  examples:
    - description: Close
      input: {fPort: 2, bytes: [0]}
      output: {data: {open: false}}
""",
    "acme/valve.js": (
        "const decodeUplink = (i) => ({data: {open: i.bytes[0] === 1, position: {lat: 48.1, lng: -1.5}}});"
    ),
    "acme/valve-encoder.js": """
function encodeDownlink(i) { return {fPort: 2, bytes: [i.data.open ? 1 : 0], warnings: [], errors: []}; }
function decodeDownlink(i) { return {data: {open: i.bytes[0] === 1}}; }
""",
}


def write_checkout(root: Path, **changes: str) -> Path:
    """`changes` replaces files by their path below `vendor/`."""
    for name, content in {**FILES, **changes}.items():
        path = root / "vendor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root
