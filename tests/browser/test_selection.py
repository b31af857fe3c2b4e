"""Several documents of the library at once: by mouse, by keyboard alone, and without scripts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from tests.browser.test_access import CONTRAST, NAMES

pytestmark = pytest.mark.browser


@pytest.fixture
def shelf(page: Page) -> str:
    """The address of a collection of its own, that is empty."""
    page.goto("/library/")
    page.get_by_role("button", name="New collection").first.click()
    number = page.locator("[data-card]").count()
    page.get_by_label("Name", exact=True).fill(f"Shelf {number}")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#chosen")).to_have_text(f"Shelf {number}")
    return page.url


def put(page: Page, *names: str, content: bytes = b"It is new.") -> None:
    files = [FilePayload(name=f"{name}.txt", mimeType="", buffer=content) for name in names]
    page.locator("#file").set_input_files(files)
    for name in names:
        expect(row(page, name)).to_be_visible()
        expect(row(page, name)).to_have_attribute(
            "data-status", "ready" if content else "failed", timeout=30_000
        )


def row(page: Page, name: str) -> Locator:
    return page.locator("#rows tr", has_text=name)


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select {name}", exact=True)


def test_several_are_deleted_and_the_others_stay(page: Page, shelf: str):
    put(page, "anvil", "bellows", "chisel")
    delete = page.get_by_role("button", name="Delete selected")
    expect(delete).to_be_disabled()
    box(page, "anvil").check()
    box(page, "chisel").check()
    expect(page.locator("[data-picked]")).to_have_text("2 of 3 selected")
    delete.click()
    dialog = page.get_by_role("dialog", name="Delete 2 documents?")
    assert sorted(dialog.get_by_role("listitem").all_inner_texts()) == ["anvil", "chisel"]
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-picked]")).to_have_text("2 of 3 selected")
    delete.click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").filter(has_text="are deleted.")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(1)


def test_all_that_are_shown_are_moved_by_keyboard_alone(page: Page, shelf: str):
    put(page, "drill", "emery")
    page.get_by_role("checkbox", name="Select all shown").focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-picked]")).to_have_text("2 of 2 selected")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Move selected")).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Move 2 documents")
    expect(dialog.get_by_role("list")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Collection", exact=True)).to_be_focused()
    page.keyboard.type("Sample")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="are in Sample handbook now.")).to_be_visible()
    expect(page.locator("#none")).to_be_visible()
    page.goto("/library/?collection=handbook")
    expect(row(page, "drill")).to_be_visible()


def test_those_that_failed_are_tried_again_at_once(page: Page, shelf: str):
    put(page, "rasp", "gouge", content=b"")
    put(page, "hammer")
    retry = page.get_by_role("button", name="Retry selected")
    box(page, "hammer").check()
    expect(retry).to_be_disabled()  # there is nothing to try again
    page.get_by_role("checkbox", name="Select all shown").check()
    retry.click()
    expect(page.get_by_role("status").filter(has_text="are tried again.")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="“hammer” had not failed.")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_selected_is_named_and_legible(page: Page, theme: str):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/library/?collection=handbook")
    page.get_by_role("checkbox", name="Select all shown").check()
    assert page.evaluate(NAMES) == []
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_with_shift_all_between_are_selected(page: Page, shelf: str):
    put(page, *(f"nail {n}" for n in range(6)))
    boxes = page.locator("[data-pick]")
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(page.locator("[data-picked]")).to_have_text("4 of 6 selected")
    boxes.nth(2).click(modifiers=["Shift"])
    expect(page.locator("[data-picked]")).to_have_text("1 of 6 selected")


def test_what_somebody_else_deletes_is_selected_no_more(page: Page, shelf: str):
    put(page, "pliers", "rasp")
    page.get_by_role("checkbox", name="Select all shown").check()
    other = page.context.new_page()
    other.goto(shelf)
    row(other, "pliers").get_by_role("button", name="Delete").click()
    other.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("[data-picked]")).to_have_text("1 of 1 selected")


@pytest.fixture
def plain(browser: Browser, site: str, session_cookies: list[dict[str, object]]) -> Iterator[Page]:
    """A page of the administrator, without scripts."""
    context = browser.new_context(base_url=site, java_script_enabled=False)
    context.add_cookies(session_cookies)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def test_without_scripts_a_page_asks_first(page: Page, plain: Page, shelf: str):
    put(page, "saw", "tongs", "vice")
    plain.goto(shelf)
    box(plain, "saw").check()
    box(plain, "vice").check()
    plain.get_by_role("button", name="Delete selected").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Delete 2 documents?")
    assert sorted(plain.get_by_role("main").get_by_role("listitem").all_inner_texts()) == [
        "saw\nsaw.txt",
        "vice\nvice.txt",
    ]
    plain.get_by_role("button", name="Delete").click()
    expect(plain).to_have_url(shelf)
    expect(plain.get_by_role("status").filter(has_text="are deleted.")).to_be_visible()
    expect(plain.locator("#rows tr")).to_have_count(1)
    box(plain, "tongs").check()
    plain.get_by_role("button", name="Move selected").click()
    plain.get_by_label("Collection").select_option("handbook")
    plain.get_by_role("button", name="Move").click()
    expect(plain.get_by_role("status").filter(has_text="“tongs” is in Sample handbook now.")).to_be_visible()
