"""The schema of a store: a file for an empty database, and one for each step from a version to the next."""

from importlib.resources import files
from typing import Final

from parvis.broker.ports.store import StoreNotUsable


class Schema:
    """What `package` holds: `schema.sql`, and `migrations` of which number n leads from version n - 1 to n."""

    def __init__(self, package: str) -> None:
        folder = files(package)
        steps = sorted(folder.joinpath("migrations").iterdir(), key=lambda step: step.name)
        self._whole = folder.joinpath("schema.sql")
        self.migrations: Final = tuple(step.read_text("utf-8") for step in steps if step.name.endswith(".sql"))

    @property
    def version(self) -> int:
        return len(self.migrations)

    def steps_from(self, version: int) -> str:
        """What makes the newest of a store of `version`, or of an empty database (0). Raises StoreNotUsable."""
        if version > self.version:
            raise StoreNotUsable(
                f"The store has schema {version}, this Parvis knows {self.version}: install a newer one."
            )
        return "\n".join(self.migrations[version:]) if version else self._whole.read_text("utf-8")

    def each_step_from(self, version: int) -> list[tuple[int, str]]:
        """The version that each leads to, and its statements: a store is whole between two. Raises StoreNotUsable."""
        whole = self.steps_from(version)
        if not version:
            return [(self.version, whole)]
        return [(number, self.migrations[number - 1]) for number in range(version + 1, self.version + 1)]

    def check(self, version: int) -> None:
        """Raises StoreNotUsable for another version than the newest."""
        if self.steps_from(version):
            raise StoreNotUsable(
                f"The store has schema {version}, this Parvis wants {self.version}: start Parvis to migrate it."
            )
