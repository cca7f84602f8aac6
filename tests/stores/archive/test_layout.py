"""Paths that Hive, Spark, DuckDB and pandas take apart, and that no name can leave."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.broker.ports.archive import Partition
from parvis.stores.archive.layout import day_text, file_path, is_file_path, partition_name

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
partitions = st.builds(
    Partition, names, st.lists(names, min_size=1, max_size=2).map(tuple), st.integers(-719_162, 2_932_896)
)


def test_a_path_names_tenant_type_and_day() -> None:
    partition = Partition("town", ("https://uri.example/WasteContainer",), 20_600)
    assert file_path(partition, "0042-a1") == (
        "tenant=town/type=https%3A%2F%2Furi.example%2FWasteContainer/day=2026-05-27/0042-a1.parquet"
    )


@given(partitions)
def test_a_path_tells_its_partition_to_who_undoes_the_encoding(partition: Partition) -> None:
    tenant, types, day = (part.partition("=")[2] for part in file_path(partition, "g").split("/")[:3])
    assert unquote(tenant) == partition.tenant
    assert tuple(map(unquote, types.split(","))) == partition.types
    assert day == day_text(partition.day)


@given(partitions)
def test_no_name_leaves_its_place(partition: Partition) -> None:
    path = file_path(partition, "g")
    assert path.isascii()
    assert [part.partition("=")[0] for part in path.split("/")] == ["tenant", "type", "day", "g.parquet"]


@given(partitions, partitions)
def test_two_partitions_have_two_folders(one: Partition, other: Partition) -> None:
    assert (file_path(one, "g") == file_path(other, "g")) == (one == other)


def test_a_name_too_long_for_a_file_system_is_shortened_and_told_apart() -> None:
    long = ["https://uri.example/" + "é" * 400 + end for end in ("a", "b")]
    paths = [file_path(Partition("town", (name,), 0), "g") for name in long]
    assert paths[0] != paths[1]
    assert all(len(part) <= 255 for path in paths for part in path.split("/"))
    assert all(is_file_path(path) for path in paths)
    assert "%C3%A9" * 400 in partition_name(Partition("town", (long[0],), 0))


@pytest.mark.parametrize("generation", ["", "../x", "a/b", "-a", "a.b"])
def test_a_generation_is_a_plain_name(generation: str) -> None:
    with pytest.raises(ValueError, match="generation"):
        file_path(Partition("town", ("a",), 0), generation)


@pytest.mark.parametrize("path", ["", "tenant=a/type=b/day=2026-05-27/", ".scratch/a.parquet", "tenant=a/x.parquet"])
def test_another_path_is_no_file_of_the_archive(path: str) -> None:
    assert not is_file_path(path)
