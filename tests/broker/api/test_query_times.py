"""Queries by when entities were created and changed (NGSI-LD 1.9.1, 4.9)."""

import httpx
import pytest

from tests.broker.api.territory import BIN, LAMP, bin_at_the_port, lamp

BEFORE, AFTER = '"2026-04-30T00:00:00Z"', '"2026-05-02T00:00:00Z"'


@pytest.fixture(autouse=True)
async def a_quay(api: httpx.AsyncClient) -> None:
    answer = await api.post("/entityOperations/create", json=[bin_at_the_port(), lamp()])
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (f"modifiedAt>{BEFORE}", [BIN, LAMP]),
        (f"modifiedAt>{AFTER}", []),
        (f"createdAt<{AFTER};powerState", [LAMP]),
        (f'createdAt>{AFTER}|powerState~="o."', [LAMP]),
        ("createdAt", [BIN, LAMP]),
        ("!modifiedAt", []),
        (f"createdAt!={BEFORE}", [BIN, LAMP]),
        (f"modifiedAt=={BEFORE}..{AFTER}", [BIN, LAMP]),
    ],
)
async def test_by_times_of_entities(api: httpx.AsyncClient, q: str, expected: list[str]) -> None:
    answer = await api.get("/entities", params={"q": q, "local": "true"})
    assert [one["id"] for one in answer.json()] == expected


async def test_times_alone_are_too_wide(api: httpx.AsyncClient) -> None:
    answer = await api.get("/entities", params={"q": f"modifiedAt>{BEFORE}"})
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (400, "BadRequestData")
