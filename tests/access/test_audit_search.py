import pytest

from parvis.access import audit_search
from parvis.access.access import Access
from parvis.access.audit_search import AuditQuery, search_audit
from parvis.access.audit_sheet import sheet_head, sheet_lines
from parvis.access.model import AuditRecord


@pytest.fixture
def week(access: Access) -> Access:
    for number in range(20):
        day, who = number // 2, ("odile", "marc")[number % 2]
        tenant = "north" if number < 10 else "south"
        told = {"address": f"192.0.2.{number}", "note": "=1+1"}
        access.store.append_audit(AuditRecord(day * 100, tenant, f"user:{who}", "key-created", f"gate {number}", told))
    return access


def numbers(access: Access, **asked: object) -> list[int]:
    return [one.number for one in search_audit(access.store, AuditQuery(**asked)).entries]  # type: ignore[arg-type]


def test_the_newest_come_first(week: Access) -> None:
    assert numbers(week) == list(range(20, 0, -1))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"text": "192.0.2.7"}, [8]),
        ({"text": "GATE 19"}, [20]),
        ({"tenants": frozenset({"north"}), "subject": "user:marc"}, [10, 8, 6, 4, 2]),
        ({"action": "signed-in"}, []),
        ({"since": 300, "until": 500}, [10, 9, 8, 7]),
        ({"before": 3}, [2, 1]),
    ],
)
def test_each_filter_narrows(week: Access, asked: dict[str, object], found: list[int]) -> None:
    assert numbers(week, **asked) == found


def test_pages_follow_each_other_to_the_beginning(week: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_search, "AT_ONCE", 3)
    monkeypatch.setattr(audit_search, "LOOKED_THROUGH", 8)
    seen: list[int] = []
    before = None
    while True:
        page = search_audit(week.store, AuditQuery(subject="user:odile", before=before, limit=3))
        assert len(page.entries) <= 3
        seen += [one.number for one in page.entries]
        if page.resume is None:
            break
        before = page.resume
    assert seen == list(range(19, 0, -2))


def test_the_table_runs_no_formula(week: Access) -> None:
    assert sheet_head() == b"number,at,tenant,subject,action,object,facts\r\n"
    week.store.append_audit(AuditRecord(0, "south", "user:odile", "done", "=cmd()"))
    lines = list(sheet_lines(week.store.read_audit(19)))
    assert b",'=cmd()," in lines[1]
    assert lines[0].startswith(b"20,1970-01-01T00:00:00.0009Z,south,user:marc,key-created,gate 19,")
