"""The kinds of devices by profile id: how each comes in, what entity it feeds and how often it speaks."""

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """The connector that takes it in."""

    LORAWAN = "chirpstack"
    MQTT = "mqttdevice"
    HTTP = "httppush"
    OCPP = "ocpp"


class Kind(StrEnum):
    FILL = "trevalan-fill-level"
    METER = "trevalan-water-pulse"
    DISTRICT_METER = "trevalan-district-meter"
    PRESSURE = "trevalan-pressure-logger"
    TOWER = "trevalan-tower-level"
    ROOM = "trevalan-room-climate"
    ELECTRICITY = "trevalan-electricity-meter"
    GAS = "trevalan-gas-meter"
    HEAT = "trevalan-heat-meter"
    LIGHTING = "trevalan-light-cabinet"
    PARKING = "trevalan-parking-bay"
    CAR_PARK = "trevalan-car-park"
    AIR = "trevalan-air-station"
    WEATHER = "trevalan-weather-station"
    NOISE = "trevalan-noise-meter"
    TRAFFIC = "trevalan-traffic-count"
    BIKES = "trevalan-bike-count"
    PEOPLE = "trevalan-people-count"
    LEVEL = "trevalan-water-level"
    BUS = "trevalan-bus"
    CHARGING = "ocpp-charging-station"
    PV = "trevalan-pv-inverter"
    BERTH = "trevalan-berth-pedestal"


@dataclass(frozen=True, slots=True)
class Traits:
    """`period_s` is how often it speaks; buses only while they run, charging stations by their own events too."""

    entity_type: str
    way: Way
    period_s: int


_TRAITS = {
    Kind.FILL: Traits("WasteContainer", Way.LORAWAN, 1800),
    Kind.METER: Traits("WaterConsumptionObserved", Way.LORAWAN, 3600),
    Kind.DISTRICT_METER: Traits("WaterConsumptionObserved", Way.LORAWAN, 900),
    Kind.PRESSURE: Traits("WaterDistributionNetwork", Way.LORAWAN, 900),
    Kind.TOWER: Traits("WaterDistributionNetwork", Way.MQTT, 300),
    Kind.ROOM: Traits("IndoorEnvironmentObserved", Way.LORAWAN, 900),
    Kind.ELECTRICITY: Traits("ThreePhaseAcMeasurement", Way.LORAWAN, 900),
    Kind.GAS: Traits("SmartMeteringObservation", Way.LORAWAN, 3600),
    Kind.HEAT: Traits("HeatMeterObserved", Way.LORAWAN, 3600),
    Kind.LIGHTING: Traits("StreetlightControlCabinet", Way.MQTT, 900),
    Kind.PARKING: Traits("ParkingSpot", Way.LORAWAN, 600),
    Kind.CAR_PARK: Traits("OffStreetParking", Way.HTTP, 300),
    Kind.AIR: Traits("AirQualityObserved", Way.LORAWAN, 900),
    Kind.WEATHER: Traits("WeatherObserved", Way.HTTP, 600),
    Kind.NOISE: Traits("NoiseLevelObserved", Way.LORAWAN, 900),
    Kind.TRAFFIC: Traits("TrafficFlowObserved", Way.LORAWAN, 900),
    Kind.BIKES: Traits("TrafficFlowObserved", Way.LORAWAN, 900),
    Kind.PEOPLE: Traits("CrowdFlowObserved", Way.HTTP, 300),
    Kind.LEVEL: Traits("WaterObserved", Way.LORAWAN, 600),
    Kind.BUS: Traits("Vehicle", Way.MQTT, 15),
    Kind.CHARGING: Traits("EVChargingStation", Way.OCPP, 900),
    Kind.PV: Traits("InverterDevice", Way.HTTP, 900),
    Kind.BERTH: Traits("SmartMeteringObservation", Way.LORAWAN, 3600),
}


def traits_of(kind: Kind) -> Traits:
    return _TRAITS[kind]
