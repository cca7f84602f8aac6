"""LoRaWAN uplinks over MQTT (QoS 1) through a JavaScript codec to durable history, 10 000 devices.

Each PUBACK says that the uplink is on disk. The platform is started anew after the devices are registered, so that the
bytes are those of the uplinks alone, with all that was put off. Published beside it: ThingsBoard 1 000 messages/s on
2 vCPU (performance-aws-instances, scenario A).
"""

import base64
import random
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import uvloop

from benchmarks.harness.http_load import request, run_load
from benchmarks.harness.mqtt_load import publish_all, publish_packet
from benchmarks.harness.platform import Served, bytes_written_by_ended, serving
from benchmarks.harness.report import Figure, tell
from parvis.kernel.time import SECOND, format_instant

DEVICES = 10_000
UPLINKS = 80_000
CONNECTIONS = 8
START = 1_780_000_000 * SECOND
ATTRIBUTES = 4
THINGSBOARD = 1_000


def main() -> list[Figure]:
    source = random.Random(6)
    packets = [uplink(number, source) for number in range(UPLINKS)]
    with TemporaryDirectory(prefix="parvis-bench-") as folder:
        with serving(Path(folder)) as served:
            register(served)
            served.wait_until_quiet()
        before = bytes_written_by_ended()
        with serving(Path(folder)) as served:
            cpu = served.cpu_s()
            seconds = uvloop.run(publish_all(served.mqtt_port, packets, CONNECTIONS))
            print(f"the platform kept {(served.cpu_s() - cpu) / seconds:.2f} cores busy")
            served.wait_until_quiet()
            check_stored(served)
        written = bytes_written_by_ended() - before
    return [
        Figure(
            "LoRaWAN uplinks, MQTT to durable history", UPLINKS / seconds, "uplinks/s", 8_000,
            THINGSBOARD, "ThingsBoard, 2 vCPU (published)",
        ),
        Figure(
            "bytes written per observation, uplinks", written / UPLINKS / ATTRIBUTES, "bytes", 1_000,
            smaller_is_better=True,
        ),
    ]  # fmt: skip


def register(served: Served) -> None:
    records = [
        {
            "hardware_id": dev_eui(number),
            "profile": "cayenne-lpp",
            "entity_id": f"urn:ngsi-ld:IndoorEnvironmentObserved:{number:05d}",
            "entity_type": "IndoorEnvironmentObserved",
            "name": f"Room {number}",
        }
        for number in range(DEVICES)
    ]
    parts = (records[start : start + 500] for start in range(0, DEVICES, 500))
    calls = (request("POST", "/api/devices", msgspec.json.encode(part)) for part in parts)
    tally = run_load(served.port, calls, connections=1)
    if set(tally.statuses) != {201}:
        raise RuntimeError(f"registration was refused: {tally.statuses}")


def uplink(number: int, source: random.Random) -> bytes:
    """As ChirpStack 4 publishes it; temperature, humidity, pressure and light in Cayenne LPP."""
    device, counter = number % DEVICES, number // DEVICES
    frame = struct.pack(
        ">BBhBBBBBHBBH",
        1, 0x67, source.randrange(150, 280), 2, 0x68, source.randrange(60, 160), 3, 0x73, source.randrange(9900, 10300),
        4, 0x65, source.randrange(1000),
    )  # fmt: skip
    message = {
        "deduplicationId": f"{number:032x}",
        "time": format_instant(START + (counter * 600 + device % 600) * SECOND),
        "deviceInfo": {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "tenantName": "Trevalan",
            "applicationId": "1c6f8a0e-3ac8-4a3e-9f7c-f0c2b0f1d2aa",
            "applicationName": "rooms",
            "deviceProfileId": "8a1e6ed5-2a1b-4b11-8ab3-3cbd6e6a2b52",
            "deviceProfileName": "cayenne-lpp",
            "deviceName": f"Room {device}",
            "devEui": dev_eui(device),
            "tags": {},
        },
        "devAddr": f"{device:08x}",
        "adr": True,
        "dr": 5,
        "fCnt": counter,
        "fPort": 1,
        "confirmed": False,
        "data": base64.b64encode(frame).decode(),
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "uplinkId": number % 2**31, "rssi": -57, "snr": 10.0}],
        "txInfo": {"frequency": 868100000},
    }
    topic = f"application/1c6f8a0e-3ac8-4a3e-9f7c-f0c2b0f1d2aa/device/{dev_eui(device)}/event/up"
    return publish_packet(topic, msgspec.json.encode(message), number % 65_535 + 1)


def dev_eui(number: int) -> str:
    return f"70b3d57ed0{number:06x}"


def check_stored(served: Served) -> None:
    """The last uplink of a device is its present, and all of them are its past."""
    path = "/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:IndoorEnvironmentObserved:00042?attrs=temperature"
    options = "&options=aggregatedValues&aggrMethods=totalCount"
    body = served.fetch(path + options)
    count = body["temperature"]["totalCount"][0][0]
    if count != UPLINKS // DEVICES:
        raise RuntimeError(f"{count} of {UPLINKS // DEVICES} uplinks are in history")


if __name__ == "__main__":
    tell(*main())
