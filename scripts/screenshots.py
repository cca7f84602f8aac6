"""Take the pictures of `docs/images` from a demonstration territory that runs for the purpose."""

from dataclasses import dataclass

from playwright.sync_api import Browser

from scripts.pictures import DESKTOP, PHONE, Screen, browsing, keep, open_context, running, settle

THE_PAST_WITHIN_S = 600


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    path: str
    screen: Screen
    language: str
    scheme: str = "light"


PICTURES = (
    Picture("console.jpg", "/console/map", DESKTOP, "en"),
    Picture("console-phone.jpg", "/console/map", PHONE, "en"),
    Picture("console-dark-fr.jpg", "/console/map", DESKTOP, "fr", "dark"),
    Picture("overview.png", "/console", DESKTOP, "en"),
    Picture("entity.png", "/console/entities/urn:ngsi-ld:WaterConsumptionObserved:plouvarec-01", DESKTOP, "en"),
    Picture("portal-fr.png", "/", DESKTOP, "fr"),
    Picture("portal-phone-fr.png", "/", PHONE, "fr"),
)


def take(browser: Browser, address: str, picture: Picture) -> None:
    context = open_context(browser, picture.screen, picture.language, picture.scheme)
    page = context.new_page()
    page.goto(f"{address}{picture.path}")
    settle(page)
    keep(page, picture.name)
    context.close()


def main() -> None:
    with running("demo") as parvis, browsing() as browser:
        for words in ("past messages delivered", "the map is drawn ahead"):
            parvis.wait_for(words, THE_PAST_WITHIN_S)
        for picture in PICTURES:
            take(browser, parvis.address, picture)


if __name__ == "__main__":
    main()
