"""A quiet style for the base map, light and dark, in the MapLibre style language; data shall stand out, not the map.

Labels need no glyph server: without `glyphs` MapLibre draws them with the system's own fonts.
"""

from collections.abc import Iterator
from dataclasses import fields

from parvis.ground.dialects import Dialect, Json, in_dialect, kinds_filter
from parvis.ground.palette import PALETTES, Palette, Theme

SOURCE = "basemap"


Width = tuple[tuple[float, float], ...]
ROADS: tuple[tuple[str, str, int, Width], ...] = (
    ("pedestrian", "road", 14, ((14, 0.8), (16, 3.5), (18, 10))),
    ("residential", "road", 12, ((12, 0.5), (14, 1.9), (16, 6.5), (18, 22))),
    ("tertiary", "road", 11, ((11, 0.6), (14, 2.1), (16, 6.5), (18, 24))),
    ("secondary", "secondary", 8, ((8, 0.7), (11, 1.6), (14, 4.2), (16, 10), (18, 32))),
    ("primary", "primary", 8, ((8, 0.9), (11, 2), (14, 5), (16, 12), (18, 36))),
    ("trunk", "trunk", 5, ((5, 0.8), (9, 1.8), (12, 3.6), (14, 7), (16, 16), (18, 44))),
)


def map_style(
    tiles_url: str, theme: Theme = "light", name: str = "Parvis", attribution: str = "", dialect: Dialect | None = None
) -> Json:
    """A complete style; `tiles_url` holds {z}, {x} and {y} and is absolute, as MapLibre's workers want it."""
    palette = PALETTES[theme]
    return {
        "version": 8,
        "name": f"{name} {theme}",
        "sources": {
            SOURCE: {"type": "vector", "tiles": [tiles_url], "minzoom": 0, "maxzoom": 14, "attribution": attribution}
        },
        "layers": [
            {"id": "land", "type": "background", "paint": {"background-color": palette.land}},
            *_layers(palette, dialect),
        ],
    }


def _layers(palette: Palette, dialect: Dialect | None) -> Iterator[Json]:
    for draw in (_grounds, _waters, _ways, _buildings, _boundaries, _labels):
        for layer in draw(palette):
            said = layer if dialect is None else in_dialect(layer, dialect)
            if said is not None:
                yield said


def _by_zoom(stops: Width) -> list[object]:
    return ["interpolate", ["exponential", 1.5], ["zoom"], *(number for stop in stops for number in stop)]


def _fill(name: str, layer: str, colour: str, *kinds: str, **rest: object) -> Json:
    return {
        "id": name,
        "type": "fill",
        "source": SOURCE,
        "source-layer": layer,
        **({"filter": kinds_filter("kind", kinds)} if kinds else {}),
        **{key: value for key, value in rest.items() if key == "minzoom"},
        "paint": {"fill-color": colour, **{key: value for key, value in rest.items() if key != "minzoom"}},
    }


def _line(name: str, layer: str, colour: str, width: Width, *kinds: str, **rest: object) -> Json:
    return {
        "id": name,
        "type": "line",
        "source": SOURCE,
        "source-layer": layer,
        **({"filter": kinds_filter("kind", kinds)} if kinds else {}),
        **{key: value for key, value in rest.items() if key in ("minzoom", "filter")},
        "layout": {"line-join": "round", "line-cap": "butt" if "line-dasharray" in rest else "round"},
        "paint": {
            "line-color": colour,
            "line-width": _by_zoom(width),
            **{key: value for key, value in rest.items() if key.startswith("line-")},
        },
    }


def _grounds(palette: Palette) -> Iterator[Json]:
    tones = {each.name: getattr(palette, each.name) for each in fields(palette)}
    fade = {"fill-opacity": ["interpolate", ["linear"], ["zoom"], 12, 0, 13, 1]}
    for kind in ("farmland", "meadow", "fallow", "orchard"):
        yield _fill(f"field-{kind}", "field", tones[kind], kind, minzoom=12, **fade)
    yield _fill("heath", "landuse", palette.heath, "heath")
    yield _fill("forest", "landuse", palette.forest, "forest")
    yield _line("hedges", "hedge", palette.hedge, ((13, 0.4), (15, 1.6), (17, 4)), minzoom=13)
    yield _fill("urban", "landuse", palette.urban, "residential")
    yield _fill("industrial", "landuse", palette.industrial, "industrial")
    yield _fill("parks", "landuse", palette.park, "park", "cemetery", "pitch", "allotments")
    yield _fill("squares", "landuse", palette.square, "square", "school", "hospital")


def _waters(palette: Palette) -> Iterator[Json]:
    yield _fill("sea", "water", palette.sea, "sea", "lake")
    deeper = {"fill-opacity": 0.55, "fill-antialias": False}
    yield _fill("depth1", "water", palette.depth, "depth1", **deeper)
    yield _fill("depth2", "water", palette.depth, "depth2", **deeper)
    yield _fill("mud", "landuse", palette.mud, "mud")
    yield _fill("sand", "landuse", palette.sand, "sand")
    yield _line("shore", "water", palette.shore, ((9, 0.4), (13, 1), (16, 1.6)), "sea", "lake", minzoom=9)
    yield _line("rivers", "waterway", palette.river, ((8, 0.6), (12, 2), (14, 5), (16, 16), (18, 60)))


def _ways(palette: Palette) -> Iterator[Json]:
    tones = {each.name: getattr(palette, each.name) for each in fields(palette)}
    yield _line(
        "tracks", "road", palette.casing, ((13, 0.7), (16, 1.8), (18, 4)), "track", minzoom=13,
        **{"line-dasharray": [3, 2]},
    )  # fmt: skip
    yield _line("piers", "road", palette.pier, ((12, 1), (14, 3), (16, 9), (18, 30)), "pier")
    for kind, _, min_zoom, width in ROADS:
        wider = tuple((zoom, pixels + (0.8 if zoom < 13 else 1.8)) for zoom, pixels in width)
        yield _line(f"{kind}-casing", "road", palette.casing, wider, kind, minzoom=max(min_zoom, 10))
    for kind, tone, min_zoom, width in ROADS:
        yield _line(f"{kind}-road", "road", tones[tone], width, kind, minzoom=min_zoom)
    yield _line("rail", "road", palette.rail, ((9, 0.6), (13, 1.4), (16, 2.6)), "rail", minzoom=9)
    yield _line(
        "rail-ties", "road", palette.rail, ((13, 2.6), (16, 7)), "rail", minzoom=13, **{"line-dasharray": [0.25, 3]}
    )


def _buildings(palette: Palette) -> Iterator[Json]:
    appear: Json = {"fill-opacity": ["interpolate", ["linear"], ["zoom"], 13, 0.35, 14.5, 1]}
    colour = ["match", ["get", "kind"], ["house", "farm", "industrial"], palette.building, palette.public_building]
    yield {
        "id": "buildings",
        "type": "fill",
        "source": SOURCE,
        "source-layer": "building",
        "minzoom": 13,
        "paint": {"fill-color": colour, "fill-outline-color": palette.building_edge, **appear},
    }


def _boundaries(palette: Palette) -> Iterator[Json]:
    yield _line(
        "communes", "boundary", palette.boundary, ((9, 0.6), (14, 1.3)), "commune",
        **{"line-dasharray": [3, 2], "line-opacity": 0.55},
    )  # fmt: skip
    yield _line(
        "agglomeration", "boundary", palette.boundary, ((8, 1.2), (14, 2.6)), "agglomeration", **{"line-opacity": 0.45}
    )


def _label(name: str, layer: str, kinds: tuple[str, ...], colour: str, halo: str, **rest: object) -> Json:
    return {
        "id": name,
        "type": "symbol",
        "source": SOURCE,
        "source-layer": layer,
        **({"filter": kinds_filter("kind", kinds)} if kinds else {}),
        **{key: value for key, value in rest.items() if key in ("minzoom", "maxzoom")},
        "layout": {
            "text-field": ["get", "name"],
            "text-font": ["system-ui"],
            "text-max-width": 8,
            "text-padding": 4,
            **{key: value for key, value in rest.items() if key.startswith(("text-", "symbol-"))},
        },
        "paint": {"text-color": colour, "text-halo-color": halo, "text-halo-width": 1.4},
    }


def _labels(palette: Palette) -> Iterator[Json]:
    along: Json = {"symbol-placement": "line", "symbol-spacing": 320, "text-max-angle": 32}
    yield _label(
        "road-names", "road", ("residential", "pedestrian", "tertiary"), palette.ink_quiet, palette.halo, minzoom=15,
        **{**along, "text-size": ["interpolate", ["linear"], ["zoom"], 15, 10, 18, 14]},
    )  # fmt: skip
    yield _label(
        "road-numbers", "road", ("trunk", "primary", "secondary"), palette.ink_quiet, palette.halo, minzoom=11,
        **{**along, "text-field": ["get", "ref"], "text-size": 10.5, "symbol-spacing": 420},
    )  # fmt: skip
    yield _label(
        "river-names", "waterway", (), palette.ink_water, palette.halo, minzoom=11,
        **{**along, "text-size": 12, "text-letter-spacing": 0.06},
    )  # fmt: skip
    yield _label("facilities", "poi", (), palette.ink_quiet, palette.halo, minzoom=15.5, **{"text-size": 11})
    yield _label("hamlets", "place", ("hamlet",), palette.ink_quiet, palette.halo, minzoom=12.5, **{"text-size": 11})
    yield _label(
        "shore-names", "place", ("bay", "cape", "island"), palette.ink_water, palette.halo, minzoom=10.8,
        **{"text-size": 11.5, "text-letter-spacing": 0.04},
    )  # fmt: skip
    yield _label(
        "villages", "place", ("village",), palette.ink, palette.halo, minzoom=9,
        **{"text-size": ["interpolate", ["linear"], ["zoom"], 9, 10.5, 14, 17]},
    )  # fmt: skip
    yield _label(
        "towns", "place", ("town",), palette.ink, palette.halo,
        **{"text-size": ["interpolate", ["linear"], ["zoom"], 7, 12, 14, 22], "symbol-sort-key": ["get", "rank"]},
    )  # fmt: skip
