"""Bytes of the map's page as a browser takes them, its library and all, before the ground's tiles and the data."""

from urllib.parse import urljoin

from benchmarks.first_page import ASSETS, add_with_imports, transferred
from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell

ON_DEMAND = ("vendor/maplibre-gl/maplibre-gl.mjs", "vendor/maplibre-gl/maplibre-gl-worker.mjs")


def main() -> list[Figure]:
    with serving() as served:
        page, text = transferred(served.address + "/console/map")
        assets = sorted({urljoin(served.address, one) for one in ASSETS.findall(text) if "/static/" in one})
        root = assets[0].split("/static/")[0] + "/static/" + assets[0].split("/static/")[1].split("/")[0] + "/"
        sizes: dict[str, int] = {"page": page}
        for one in (*assets, *(root + name for name in ON_DEMAND)):
            add_with_imports(one, sizes)
    for name, size in sorted(sizes.items(), key=lambda one: -one[1]):
        print(f"{size:>8} {name.rsplit('/', 1)[-1]}")
    return [Figure("console map page, before tiles", sum(sizes.values()) / 1024, "KB", 650, smaller_is_better=True)]


if __name__ == "__main__":
    tell(*main())
