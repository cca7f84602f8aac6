"""Parquet, GeoPackage and Shapefile as rows, in batches: what pyarrow and GDAL (through pyogrio) read."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from parvis.connectors.files.config import COLUMN_ENDINGS, InvalidMapping, Source, nearest
from parvis.connectors.files.table import GEOMETRY, Row, Table, damaged_where_it_fails, plain, read_by_library

BATCH_ROWS = 1000
_SHAPES = (".shp", ".gpkg")


@contextmanager
def open_columns(path: Path, source: Source) -> Iterator[Table]:
    """Raises InvalidMapping."""
    try:
        if path.name.lower().endswith(COLUMN_ENDINGS):
            with _open_parquet(path) as table:
                yield table
        else:
            with _open_map(path, source) as table:
                yield table
    except (pa.ArrowException, OSError) as error:
        raise InvalidMapping(f"{path.name} cannot be read: {str(error)[:300]}") from error


@contextmanager
def _open_parquet(path: Path) -> Iterator[Table]:
    with pq.ParquetFile(path) as file:
        metadata = file.schema_arrow.metadata or {}
        geometry, crs = _geoparquet(metadata.get(b"geo", b"{}"))
        header = tuple(GEOMETRY if name == geometry else name for name in file.schema_arrow.names)
        rows = read_by_library(_rows(file.iter_batches(BATCH_ROWS)), path.name)
        yield Table(header, rows, file.metadata.num_rows, crs)


def _geoparquet(written: bytes) -> tuple[str, str]:
    """Name of the geometry's column and its projection (GeoParquet 1.1): WGS 84 where it says nothing."""
    try:
        geo: dict[str, Any] = msgspec.json.decode(written)
        name = geo.get("primary_column", "")
        crs = geo.get("columns", {}).get(name, {}).get("crs")
    except (msgspec.MsgspecError, AttributeError):
        return "", ""
    return name, msgspec.json.encode(crs).decode() if crs else ""


@contextmanager
def _open_map(path: Path, source: Source) -> Iterator[Table]:
    try:
        import pyogrio
    except ModuleNotFoundError as error:
        raise InvalidMapping(f"{path.suffix} files need more: pip install 'parvis[files]'.") from error
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's doubts about a file that it reads or refuses
        with damaged_where_it_fails(path.name):
            where = _inside(path)
            layer = _layer(pyogrio.list_layers(where)[:, 0].tolist(), source, path.name)
            info = pyogrio.read_info(where, layer=layer)
            opened = pyogrio.open_arrow(where, layer=layer, batch_size=BATCH_ROWS, use_pyarrow=True)
            meta, reader = stack.enter_context(opened)
        geometry = meta["geometry_name"] or "wkb_geometry"
        header = tuple(GEOMETRY if name == geometry else name for name in reader.schema.names)
        yield Table(header, read_by_library(_rows(reader), path.name), max(0, info["features"]), meta["crs"] or "")


def _inside(path: Path) -> str:
    """What GDAL is to open: of an archive the one map in it, which is read without being unpacked."""
    if path.suffix.lower() != ".zip":
        return str(path)
    from zipfile import ZipFile

    from parvis.connectors.files.codec import check_archive

    check_archive(path)
    with ZipFile(path) as archive:
        maps = [one for one in archive.namelist() if one.lower().endswith(_SHAPES) and not one.startswith("__MACOSX")]
    if len(maps) != 1:
        raise InvalidMapping(f"{path.name} holds {len(maps)} maps ({', '.join(_SHAPES)}): it should be one.")
    return f"/vsizip/{{{path}}}/{maps[0]}"


def _layer(layers: list[str], source: Source, name: str) -> str:
    if source.layer and source.layer not in layers:
        raise InvalidMapping(f"{name} has no layer {source.layer!r}.{nearest(source.layer, tuple(layers))}")
    if not layers:
        raise InvalidMapping(f"{name} has no layer.")
    return source.layer or layers[0]


def _rows(batches: Any) -> Iterator[tuple[int, Row]]:
    number = 0
    for batch in batches:
        for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            number += 1
            yield number, [plain(cell) for cell in cells]
