"""Take the pictures of `docs/images` from a demonstration territory that runs for the purpose."""

import time
from dataclasses import dataclass

from playwright.sync_api import Browser

from scripts.pictures import DESKTOP, PHONE, Screen, browsing, keep, open_context, running, settle

LIVELY_AFTER_S = 45


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    path: str
    screen: Screen
    language: str
    scheme: str = "light"


PICTURES = (
    Picture("console", "/console/map", DESKTOP, "en"),
    Picture("console-phone", "/console/map", PHONE, "en"),
    Picture("console-dark-fr", "/console/map", DESKTOP, "fr", "dark"),
    Picture("overview", "/console", DESKTOP, "en"),
    Picture("entity", "/console/entities/urn:ngsi-ld:WaterConsumptionObserved:plouvarec-01", DESKTOP, "en"),
    Picture("portal-fr", "/", DESKTOP, "fr"),
    Picture("portal-phone-fr", "/", PHONE, "fr"),
)


def take(browser: Browser, address: str, picture: Picture) -> None:
    context = open_context(browser, picture.screen, picture.language, picture.scheme)
    page = context.new_page()
    page.goto(f"{address}{picture.path}")
    settle(page)
    keep(page, f"{picture.name}.png")
    context.close()


def main() -> None:
    with running("demo") as address, browsing() as browser:
        time.sleep(LIVELY_AFTER_S)
        for picture in PICTURES:
            take(browser, address, picture)


if __name__ == "__main__":
    main()
