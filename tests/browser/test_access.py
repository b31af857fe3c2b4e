"""The pages for everyone: by keyboard alone, on a phone, in both themes, named and legible."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acts import LEAVE, ask, finished

pytestmark = pytest.mark.browser

# The narrowest that WCAG asks for, 1.4.10; text on a small phone may well be enlarged.
PHONE = {"width": 320, "height": 640}
PAGES = ["/", "/library/", "/ops/", "/accounts/password/"]

# Every control has a name, every id and each region's name is there once, every page has one main landmark, a title and
# a heading.
NAMES = """() => {
  const wrong = [];
  const shown = (e) => e.checkVisibility();
  const name = (e) => (e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") || "").split(" ")
    .map((id) => document.getElementById(id)?.textContent || "").join(" ") ||
    Array.from(e.labels || [], (l) => l.textContent).join(" ") || e.textContent || e.title || e.alt || "").trim();
  const controls = "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], progress";
  for (const e of document.querySelectorAll(controls)) if (shown(e) && !name(e)) wrong.push("no name: " + e.outerHTML);
  for (const e of document.querySelectorAll("img:not([alt])")) wrong.push("no alt: " + e.outerHTML);
  const ids = Array.from(document.querySelectorAll("[id]"), (e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push("twice: " + id);
  const labelledBy = (e) => e.getAttribute("aria-labelledby")?.split(" ")
    .map((id) => document.getElementById(id)?.textContent).join(" ");
  const label = (e) => e.getAttribute("aria-label") || labelledBy(e);
  const regions = Array.from(document.querySelectorAll("section[aria-labelledby], [role=region]"), label);
  for (const one of regions) if (regions.indexOf(one) !== regions.lastIndexOf(one)) wrong.push("region twice: " + one);
  if (document.querySelectorAll("main").length !== 1) wrong.push("main");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("h1");
  if (!document.documentElement.lang || !document.title) wrong.push("lang or title");
  return wrong;
}"""

# Text against the nearest painted background: 4.5, or 3 where it is large (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3])).concat(1);
  const background = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const wrong = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility({visibilityProperty: true})) continue;
    if (e.closest("[disabled], svg, script, .visually-hidden, .skip")) continue;
    const style = getComputedStyle(e);
    const under = background(e);
    const [a, b] = [light(over(rgba(style.color), under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${ratio.toFixed(2)} ${e.className} ${texts.currentNode.data.trim()}`);
  }
  return wrong;
}"""


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_named_and_legible(page: Page, path: str, theme: str):
    page.emulate_media(color_scheme=theme)
    page.goto(path)
    assert page.evaluate(NAMES) == []
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_answer_is_named_and_legible(page: Page, theme: str):
    page.emulate_media(color_scheme=theme)
    page.goto("/")
    ask(page, LEAVE)
    finished(page)
    assert page.evaluate(NAMES) == []
    assert page.evaluate(CONTRAST) == []


def test_the_login_page_is_named_and_legible(visitor: Page):
    visitor.goto("/")
    assert visitor.evaluate(NAMES) == []
    assert visitor.evaluate(CONTRAST) == []


def test_the_chosen_theme_is_kept(page: Page):
    page.emulate_media(color_scheme="light")
    page.goto("/")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_cut_off_on_a_phone(page: Page, path: str):
    page.set_viewport_size(PHONE)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_question_is_asked_on_a_phone(page: Page):
    page.set_viewport_size(PHONE)
    page.goto("/")
    ask(page, LEAVE)
    finished(page)
    expect(page.locator(".source").first).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_conversations_are_a_drawer_on_a_phone(page: Page):
    page.set_viewport_size(PHONE)
    page.goto("/")
    link = page.get_by_role("link", name="New question")
    expect(link).not_to_be_in_viewport()
    page.get_by_role("button", name="Conversations", exact=True).click()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(link).not_to_be_in_viewport()
    expect(page.get_by_role("button", name="Conversations", exact=True)).to_be_focused()


def test_the_keyboard_alone_is_enough(page: Page):
    page.goto("/")
    box = page.get_by_label("Your question")
    expect(page.locator("#composer[data-ready]")).to_be_visible()
    expect(box).to_be_focused()
    page.keyboard.type("How many days")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("of annual leave do I get?")
    page.keyboard.press("Enter")
    finished(page)
    expect(page.locator(".run-question")).to_have_text("How many days\nof annual leave do I get?")
    cite = page.locator(".answer a.cite").first
    cite.focus()
    page.keyboard.press("Enter")
    expect(page.locator(f".source[data-n='{cite.get_attribute('data-n')}']")).to_be_focused()
    page.keyboard.press("Escape")
    expect(cite).to_be_focused()
    page.keyboard.press("/")
    expect(box).to_be_focused()
    expect(box).to_have_value("")


def test_escape_stops(page: Page, model):
    model.behave(first_token="fixed:60", token_gap="fixed:120", tokens=120)
    page.goto("/")
    ask(page, "How many extra days of leave may I buy in November?")
    expect(page.locator(".answer")).not_to_be_empty()
    page.keyboard.press("Escape")
    finished(page)
    expect(page.locator(".run-foot .badge")).to_have_text(["Stopped by you"])


def test_the_answer_is_read_out_once(page: Page):
    page.goto("/")
    page.evaluate(
        """() => {
          window.said = [];
          const region = document.getElementById("announce");
          const note = () => window.said.push(region.textContent);
          new MutationObserver(note).observe(region, {childList: true, characterData: true, subtree: true});
        }"""
    )
    ask(page, LEAVE)
    finished(page)
    said = page.evaluate("window.said")
    assert len(said) <= 4
    assert [text for text in said if text.startswith("Answer")] == said[-1:]


def test_a_file_that_a_proxy_bars_says_so(browser, site, session_cookies):
    """As nginx does by itself with more than 1 MB: a page, and not our JSON. Chromium notes it in the console, so
    this is in a context that nobody listens to."""
    barred = {"status": 413, "content_type": "text/html", "body": "<h1>413 Request Entity Too Large</h1>"}
    context = browser.new_context(base_url=site)
    context.add_cookies(session_cookies)
    page = context.new_page()
    page.route("**/library/upload/", lambda route: route.fulfill(**barred))
    page.goto("/library/")
    page.locator("#file").set_input_files({"name": "large.txt", "mimeType": "", "buffer": b"word " * 400_000})
    expect(page.get_by_text("a proxy's limit is too low").first).to_be_visible()
    context.close()


def test_a_failed_document_with_a_long_name_is_not_cut_off_on_a_phone(page: Page):
    page.set_viewport_size(PHONE)
    page.goto("/library/")
    name = "REPORT-2024-INV-1234_borderless_table_of_results.bin"
    page.locator("#file").set_input_files({"name": name, "mimeType": "", "buffer": bytes(range(256))})
    expect(page.locator("#rows tr").filter(has_text=name).get_by_role("button", name="Retry")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_paper_has_the_answer_and_none_of_the_controls(page: Page):
    page.goto("/")
    ask(page, LEAVE)
    finished(page)
    page.emulate_media(media="print")
    expect(page.locator(".answer")).to_be_visible()
    expect(page.locator(".source").first).to_be_visible()
    for control in (".top", ".history", ".composer", ".run-foot button"):
        expect(page.locator(control).first).to_be_hidden()


def test_a_wide_table_is_scrolled_and_the_page_is_not(page: Page):
    page.set_viewport_size(PHONE)
    page.goto("/library/")
    head, rule, row = (f"|{cell * 40}" for cell in ("name |", "---|", "value |"))
    table = {"name": "wide.md", "mimeType": "", "buffer": f"{head}\n{rule}\n{row}\n".encode()}
    page.locator("#file").set_input_files(table)
    page.locator("#rows").get_by_role("link", name="wide").click()
    expect(page.locator(".passage table").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_title_without_blanks_does_not_widen_its_page(page: Page):
    page.goto("/library/?collection=handbook")
    name = "Donaudampfschifffahrtsgesellschaft" * 4
    page.locator("#file").set_input_files(
        {"name": "boat.md", "mimeType": "", "buffer": f"# {name}\n\nIt sails.".encode()}
    )
    link = page.locator("#rows a[href]", has_text=name)
    expect(link).to_be_visible(timeout=30_000)
    link.click()
    expect(page.locator("h1")).to_have_text(name)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_an_old_conversation_is_found_on_a_phone(page: Page):
    page.set_viewport_size(PHONE)
    page.goto("/")
    ask(page, "Who is fed by the concierge?")
    finished(page)
    page.goto("/")
    page.get_by_role("button", name="Conversations", exact=True).click()
    page.get_by_label("Find a conversation").fill("concierge FED")
    page.keyboard.press("Enter")
    found = page.locator("#conversations a")
    expect(found).to_have_text(["Who is fed by the concierge?"])
    expect(found).to_be_in_viewport()
    page.get_by_role("link", name="Show the newest").click()
    expect(page).not_to_have_url(re.compile("q="))
