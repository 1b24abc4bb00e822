"""The label page as a test sees it, and what several tests do on other pages."""

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

    def stop_time(self) -> None:
        """From here on no time passes on the page, however long a busy machine takes."""
        self.page.clock.install()
        self.page.clock.pause_at(self.page.evaluate("Date.now()") + 1)

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


def ask_questions(page: Page, url: str, project, questions) -> None:
    """Make a form on its own page: each question's name, what it takes, its answers a line each, and the
    earlier answer that it waits for.
    """
    page.goto(f"{url}/projects/{project.pk}/settings/questions")
    for name, kind, answers, after in questions:
        form = page.locator("form", has=page.get_by_role("heading", name="Add a question"))
        form.get_by_label("Question", exact=True).fill(name)
        form.get_by_label("It takes").select_option(label=kind)
        if answers:
            form.get_by_label("Answers", exact=True).fill(answers)
        if after:
            form.get_by_label(after, exact=True).check()
        form.get_by_role("button", name="Add").click()
        expect(page.get_by_text(f"“{name}” is asked.")).to_be_visible()
