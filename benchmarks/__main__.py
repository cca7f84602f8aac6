"""`python -m benchmarks`: every figure, as the table of docs/reference/performance.md. Run nothing beside it."""

from importlib import import_module

from benchmarks.harness.report import HEADER, machine

FIGURES = (
    "batch_upsert",
    "postgres_batch",
    "patch_attribute",
    "patch_access",
    "notifications",
    "lorawan_uplinks",
    "onboarding",
    "query_entities",
    "temporal_aggregate",
    "first_start",
    "idle_memory",
    "start_up",
    "first_page",
    "console_page",
    "map_pan",
    "live_change",
    "kill_nine",
    "overload",
    "archive",
    "import_csv",
    "backup",
    "lighting_schedule",
)


def main() -> None:
    rows = [figure.row() for name in FIGURES for figure in import_module(f"benchmarks.{name}").main()]
    print(f"\n{machine()}\n\n{HEADER}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
