"""A PDF is opened at its page, in the browser's own viewer."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acts import ask, finished
from tests.browser.test_access import CONTRAST, NAMES
from tests.unit.ingestion import samples

pytestmark = pytest.mark.browser
PAGES = [
    ["# Ferrets", "The office ferret is called Biscuit."],
    ["# Badgers", "The office badger sleeps until noon."],
]


@pytest.fixture
def source(page: Page) -> Page:
    """The page with the answer that rests on the second page of a PDF."""
    page.goto("/library/?collection=handbook")
    file = {"name": "animals.pdf", "mimeType": "", "buffer": samples.pdf(PAGES)}
    page.locator("#file").set_input_files(file)
    expect(page.locator("#rows tr[data-status=ready]", has_text="animals.pdf").first).to_be_visible(
        timeout=30_000
    )
    page.goto("/")
    ask(page, "Until when does the office badger sleep?")
    finished(page)
    return page


def opened(page: Page, name: str) -> Page:
    with page.expect_popup() as popup:
        page.get_by_role("link", name=name).first.click()
    return popup.value


def test_a_source_opens_its_page_and_so_does_its_document(source: Page):
    # What is downloaded instead of being shown leaves the tab where it was.
    expect(opened(source, "page 2 in a new tab")).to_have_url(re.compile(r"/pdf\?chunk=\d+#page=2$"))
    source.locator(".source-title").first.click()
    expect(source.locator(".passage.marked")).to_contain_text("sleeps until noon")
    expect(opened(source, "Open the PDF at page 2")).to_have_url(re.compile(r"/pdf#page=2$"))
    expect(opened(source, "Page 1 of the PDF")).to_have_url(re.compile(r"/pdf#page=1$"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_of_a_pdf_is_named_and_legible(source: Page, theme: str):
    source.emulate_media(color_scheme=theme)
    source.set_viewport_size({"width": 320, "height": 640})
    check(source)
    source.locator(".source-title").first.click()
    expect(source.locator(".passage.marked")).to_be_visible()
    check(source)


def check(page: Page) -> None:
    assert page.evaluate(NAMES) == []
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
