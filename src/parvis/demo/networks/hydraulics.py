"""The water network as a model that EPANET solves (through WNTR, from the extra `demo`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from parvis.demo.networks.sizes import ROUGHNESS
from parvis.demo.networks.water import Material, Pipe, Pump, Tower, WaterNetwork

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel  # type: ignore[import-untyped]

M3_PER_DAY, L_PER_S, MM = 1 / 86_400, 1e-3, 1e-3
PATTERN = "customers"
FULL_AT_START = 0.8
RISER_MM, ASIDE_M = 300, 20.0
FLAT = (1.0,) * 24


def hydraulic_model(
    network: WaterNetwork,
    pattern: Sequence[float] = FLAT,
    *,
    hours: int = 24,
    whole: bool = False,
) -> "WaterNetworkModel":
    """Nodes and links carry the ids of the network; SI units, as WNTR has them.

    `pattern` multiplies every customer's demand hour by hour (its mean should be 1). Unless `whole`, service pipes are
    left out and their customers draw at the junction where they branch off.
    """
    import wntr  # type: ignore[import-untyped]

    model = wntr.network.WaterNetworkModel()
    model.options.hydraulic.headloss = "H-W"
    model.options.time.duration = hours * 3600
    model.options.time.hydraulic_timestep = model.options.time.report_timestep = 3600
    model.options.time.pattern_timestep = 3600
    model.add_pattern(PATTERN, list(pattern))
    pipes = [pipe for pipe in network.pipes if whole or not pipe.is_service]
    _add_nodes(model, network, pipes, whole)
    for pipe in pipes:
        model.add_pipe(
            pipe.id, pipe.start, pipe.end, length=pipe.length_m, diameter=pipe.diameter_mm * MM,
            roughness=ROUGHNESS[pipe.material],
        )  # fmt: skip
    for reducer in network.reducers:
        model.add_valve(
            reducer.id, reducer.start, reducer.end, reducer.diameter_mm * MM, "PRV", initial_setting=reducer.setting_m
        )
    _add_towers(model, network.towers)
    for pump in network.pumps:
        _add_pump(model, pump)
    return model


def model_demands_m3_per_day(network: WaterNetwork, whole: bool = False) -> dict[str, float]:
    """By junction of the model: what is drawn there, with the customers of the service pipes that it leaves out."""
    heads = {} if whole else service_heads(network)
    demands: dict[str, float] = {}
    for junction in network.junctions:
        at = heads.get(junction.id, junction.id)
        demands[at] = demands.get(at, 0.0) + junction.demand_m3_per_day
    return demands


def service_heads(network: WaterNetwork) -> dict[str, str]:
    """By junction that a model without service pipes lacks: the junction of the model where it branches off."""
    modelled = {end for pipe in network.pipes if not pipe.is_service for end in (pipe.start, pipe.end)}
    modelled |= {end for reducer in network.reducers for end in (reducer.start, reducer.end)}
    heads: dict[str, str] = {}
    for pipe in network.pipes:
        if pipe.is_service and pipe.end not in modelled and pipe.end not in heads:
            heads[pipe.end] = heads.get(pipe.start, pipe.start)
    return heads


def _add_nodes(model: "WaterNetworkModel", network: WaterNetwork, pipes: Sequence[Pipe], whole: bool) -> None:
    used = {end for pipe in pipes for end in (pipe.start, pipe.end)}
    used |= {end for reducer in network.reducers for end in (reducer.start, reducer.end)}
    demands = model_demands_m3_per_day(network, whole)
    for junction in network.junctions:
        if junction.id in used:
            demand = demands.get(junction.id, 0.0) * M3_PER_DAY
            model.add_junction(
                junction.id, demand, PATTERN if demand else None, junction.elevation_m, (junction.x, junction.y)
            )
    for works in network.works:
        model.add_reservoir(works.id, works.head_m, coordinates=(works.x, works.y))


def _add_towers(model: "WaterNetworkModel", towers: Sequence[Tower]) -> None:
    for tower in towers:
        model.add_tank(
            tower.id, elevation=tower.floor_m, init_level=FULL_AT_START * tower.full_m, min_level=0.0,
            max_level=tower.full_m, diameter=tower.diameter_m, coordinates=(tower.x, tower.y),
        )  # fmt: skip
        model.add_pipe(
            f"{tower.id}-riser", tower.junction, tower.id, length=tower.floor_m - tower.ground_m + ASIDE_M,
            diameter=RISER_MM * MM, roughness=ROUGHNESS[Material.DUCTILE_IRON],
        )  # fmt: skip


def _add_pump(model: "WaterNetworkModel", pump: Pump) -> None:
    from wntr.network import LinkStatus
    from wntr.network.controls import Control, ControlAction, ValueCondition  # type: ignore[import-untyped]

    model.add_curve(f"{pump.id}-curve", "HEAD", [(pump.flow_l_per_s * L_PER_S, pump.head_m)])
    model.add_pump(pump.id, pump.start, pump.end, "HEAD", f"{pump.id}-curve")
    tower, link = model.get_node(pump.tower), model.get_link(pump.id)
    for name, relation, level, status in (("on", "<", pump.on_m, 1), ("off", ">", pump.off_m, 0)):
        condition = ValueCondition(tower, "level", relation, level)
        model.add_control(f"{pump.id}-{name}", Control(condition, ControlAction(link, "status", LinkStatus(status))))
