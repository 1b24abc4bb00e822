"""The label page as a test sees it."""

from playwright.sync_api import Page, expect


class LabelPage:
    def __init__(self, page: Page, project) -> None:
        self.page = page
        self.project = project

    def open(self) -> "LabelPage":
        self.page.goto(f"/projects/{self.project.pk}/label")
        expect(self.page.locator("#main[data-ready]")).to_be_visible()
        return self

    @property
    def item(self) -> int:
        """The id of the item on the screen."""
        shown = self.page.locator(".item:not([hidden])")
        expect(shown).to_have_count(1)
        return int((shown.get_attribute("data-item") or "0").split(".")[0])

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def expect_state(self, words: str) -> None:
        expect(self.page.locator("[data-state]")).to_have_text(words)

    def expect_ahead(self, count: int) -> None:
        expect(self.page.locator("[data-ahead]")).to_have_text(f"{count} ahead")

    def settled(self) -> None:
        """Wait until everything said so far is stored."""
        self.expect_state("saved")

    def close_keys(self) -> None:
        self.press("Escape")
        expect(self.page.locator("#keys")).to_be_hidden()
