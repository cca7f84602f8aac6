"""The same seed says the same, byte for byte; whom something concerns says so out of turn."""

import hashlib
import json
from itertools import islice

from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind, Way
from parvis.demo.play.radio import list_gateways
from parvis.demo.play.schedule import Schedule
from parvis.demo.play.voices import Document, Publication, Voices
from parvis.demo.scenery import Scenery
from parvis.fleet.codecs.codec import Codec
from tests.demo.conftest import BEGUN_S, SetScene


def speakers(devices: tuple[Device, ...]) -> list[Device]:
    return [one for one in devices if one.way is not Way.OCPP]


def voices_of(scenery: Scenery, set_scene: SetScene) -> Voices:
    return Voices(speakers(scenery.devices), set_scene(), list_gateways(scenery.territory))


def digest_of(scenery: Scenery, set_scene: SetScene) -> str:
    voices, digest = voices_of(scenery, set_scene), hashlib.sha256()
    for turn in islice(Schedule(speakers(scenery.devices), 1).turns(BEGUN_S), 250):
        digest.update(repr(voices.message(turn)).encode())
    return digest.hexdigest()


def test_the_same_seed_says_the_same_bytes(scenery: Scenery, set_scene: SetScene) -> None:
    assert digest_of(scenery, set_scene) == digest_of(scenery, set_scene)


def test_each_way_in_has_its_own_form(scenery: Scenery, set_scene: SetScene) -> None:
    voices, own = voices_of(scenery, set_scene), speakers(scenery.devices)
    said = {}
    for turn in islice(Schedule(own, 1).turns(BEGUN_S), 400):
        message = voices.message(turn)
        if message is not None:
            said[own[turn.who].way] = (own[turn.who], message)
    device, message = said[Way.LORAWAN]
    assert isinstance(message, Publication)
    assert message.topic.endswith(f"/device/{device.hardware_id}/event/up")
    event = json.loads(message.payload)
    assert event["deviceInfo"]["devEui"] == device.hardware_id
    assert 1 <= len(event["rxInfo"]) <= 3
    assert event["rxInfo"][0]["rssi"] == max(one["rssi"] for one in event["rxInfo"])
    device, message = said[Way.MQTT]
    assert isinstance(message, Publication)
    assert message.topic == f"device/{device.hardware_id}/up"
    assert {"fields", "time"} == set(json.loads(message.payload))
    device, message = said[Way.HTTP]
    assert isinstance(message, Document)
    assert message.body["device"] == device.hardware_id


def test_an_alarm_is_counted_and_what_follows_counts_on(scenery: Scenery, set_scene: SetScene) -> None:
    own = speakers(scenery.devices)
    who = next(number for number, one in enumerate(own) if one.kind is Kind.PRESSURE)
    voices, schedule = voices_of(scenery, set_scene), Schedule(own, 1)
    first, second, third = islice((turn for turn in schedule.turns(BEGUN_S) if turn.who == who), 3)
    said = [
        voices.message(first),
        voices.alarm(schedule.extra_turn(who, first.time_s + 20)),
        voices.message(second),
        voices.message(third),
    ]
    counts = [json.loads(one.payload)["fCnt"] for one in said if isinstance(one, Publication)]
    assert counts == [*range(counts[0], counts[0] + 4)]


def test_codecs_are_those_of_the_platform(scenery: Scenery) -> None:
    """They run in the platform's own sandbox too."""
    import parvis.demo.readings.past as past

    assert all(Codec((past.PROFILES / kind.value / "codec.js").read_text()) for kind in (Kind.PRESSURE, Kind.HEAT))
