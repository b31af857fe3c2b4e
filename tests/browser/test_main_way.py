"""The main way, in a real browser on the real stack: log in, upload, ask, see sources before text, stop, come back."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.browser.acts import LEAVE, ask, finished, log_in
from tests.browser.conftest import Model

pytestmark = pytest.mark.browser

POLICY = """# Quokka policy

## Feeding

The office quokka is fed 42 grams of leaves at half past seven. Nobody feeds it chocolate.
"""

# Remembers what stood on the page first: a source, or a word of the answer.
WATCH = """() => {
  window.firsts = [];
  const seen = (name, selector) => {
    const element = document.querySelector(selector);
    if (element && element.textContent.trim() && !window.firsts.includes(name)) window.firsts.push(name);
  };
  new MutationObserver(() => {
    seen("source", ".source");
    seen("answer", ".answer");
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


def slow(model: Model) -> None:
    model.behave(first_token="fixed:60", token_gap="fixed:120", tokens=120)


def words(page: Page) -> int:
    return len(page.locator(".answer").last.inner_text().split())


def test_a_visitor_is_asked_to_log_in(visitor):
    log_in(visitor)
    expect(visitor).to_have_url(re.compile("/$"))


def test_a_wrong_password_is_said_to_be_wrong(visitor):
    visitor.goto("/")
    visitor.get_by_label("User name").fill("admin")
    visitor.get_by_label("Password").fill("wrong")
    visitor.get_by_role("button", name="Log in").click()
    expect(visitor.get_by_role("alert")).to_contain_text("correct username and password")


def test_sources_stand_before_the_first_word(page):
    page.goto("/")
    page.evaluate(WATCH)
    ask(page, LEAVE)
    finished(page)
    assert page.evaluate("window.firsts") == ["source", "answer"]
    expect(page.locator(".source").first).to_contain_text("Annual leave")
    expect(page.locator(".answer a.cite").first).to_be_visible()


def test_an_uploaded_document_answers_a_question(page, tmp_path: Path):
    file = tmp_path / "quokka.md"
    file.write_text(POLICY)
    page.goto("/library/?collection=handbook")
    page.locator("#file").set_input_files(file)
    expect(page.locator("#rows tr", has_text="Quokka")).to_contain_text("Ready", timeout=30_000)
    page.goto("/")
    ask(page, "How many grams of leaves is the office quokka fed?")
    finished(page)
    expect(page.locator(".source mark").first).to_contain_text("42 grams")


def test_a_source_leads_to_its_place_in_the_document(page):
    page.goto("/")
    ask(page, "When must carried-over days be taken?")
    finished(page)
    page.locator(".source-title").first.click()
    expect(page).to_have_url(re.compile(r"/d/[0-9a-f-]{36}/\?chunk=\d+"))
    expect(page.get_by_role("main")).to_contain_text("31 March")


def test_a_long_passage_is_read_from_its_beginning(page):
    page.goto("/")
    ask(page, "When must carried-over days be taken?")
    finished(page)
    page.set_viewport_size({"width": 360, "height": 300})
    page.locator(".source-title").first.click()
    marked = page.locator(".passage.marked")
    expect(marked).to_be_focused()
    place = marked.bounding_box()
    assert place["height"] > 300
    assert 0 <= place["y"] < 150


def test_stop_keeps_what_there_is(page, model):
    slow(model)
    page.goto("/")
    ask(page, "How many unused days may I carry over into the next year?")
    expect(page.locator(".answer")).not_to_be_empty()
    expect(page.locator("#keys")).to_be_hidden()  # and not cut off
    page.get_by_role("button", name="Stop").click()
    finished(page)
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator(".run-foot .badge")).to_have_text(["Stopped by you"])
    assert 0 < words(page) < 100
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_a_reload_in_mid_stream_goes_on(page, model):
    slow(model)
    page.goto("/")
    ask(page, "How many days ahead do I ask for a week of leave?")
    expect(page.locator(".answer")).not_to_be_empty()
    expect(page).to_have_url(re.compile("/c/"))
    before = page.locator(".answer").inner_text().split()[0]
    page.reload()
    expect(page.locator(".run[data-state=answering] .answer")).to_contain_text(before)
    page.get_by_role("button", name="Stop").click()
    finished(page)
    expect(page.locator(".run-question")).to_have_count(1)
    assert page.locator(".answer").inner_text().startswith(before)


def test_a_second_tab_follows_the_same_answer(page, model):
    slow(model)
    page.goto("/")
    ask(page, "When do the offices close for the winter closure?")
    expect(page.locator(".answer")).not_to_be_empty()
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator(".answer")).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    finished(page)
    finished(other)
    assert other.locator(".answer").inner_text() == page.locator(".answer").inner_text()


def test_a_question_asked_again_is_answered_from_the_kept_answer(page, model):
    model.behave(tokens=12)
    page.goto("/")
    ask(page, LEAVE)
    finished(page)
    page.goto("/")
    ask(page, LEAVE)
    finished(page)
    expect(page.locator(".run-foot .badge")).to_have_text(["Kept answer, still valid"])
    page.get_by_role("button", name="Ask afresh").click()
    finished(page, 2)
    expect(page.locator(".run").last.locator(".run-foot .badge")).to_have_count(0)


def test_what_the_documents_do_not_say_is_refused(page):
    page.goto("/")
    ask(page, "What is the melting point of tungsten?")
    finished(page)
    expect(page.locator(".run-foot .badge")).to_have_text(["The documents do not say"])


def test_a_conversation_is_renamed_and_deleted(page):
    page.goto("/")
    ask(page, "Can I work from another country?")
    finished(page)
    current = page.locator("#conversations .current")
    expect(current).to_contain_text("Can I work from another country?")
    current.hover()
    current.get_by_role("button").click()
    page.get_by_label("Name", exact=True).fill("Working abroad")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.locator("#conversations .current")).to_contain_text("Working abroad")
    gone = page.url
    page.locator("#conversations .current").hover()
    page.locator("#conversations .current").get_by_role("button").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good?").click()
    expect(page).not_to_have_url(gone)
    expect(page.locator(f"#conversations a[href='{urlsplit(gone).path}']")).to_have_count(0)


def test_a_file_may_be_dropped_anywhere_on_the_library(page):
    page.goto("/library/")
    taken = page.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File(["Bicycles stand in the yard."], "bicycles.txt"));
      const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
      return !document.querySelector("h1").dispatchEvent(drop);
    }""")
    assert taken  # or the browser would open the file in place of the page
    expect(page.locator("#rows tr").filter(has_text="bicycles")).to_be_visible()


def test_a_folder_may_be_dropped(page, tmp_path: Path):
    (tmp_path / "inner" / "deeper").mkdir(parents=True)
    (tmp_path / "lift.txt").write_text("The lift is slow.")
    (tmp_path / "inner" / "deeper" / "stairs.txt").write_text("The stairs are steep.")
    (tmp_path / "inner" / ".hidden.txt").write_text("Nobody sees this.")
    page.goto("/library/")
    data = {"items": [], "files": [str(tmp_path)], "dragOperationsMask": 1}
    hand = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        hand.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 200, "data": data})
    for name in ("lift", "stairs"):
        expect(page.locator("#rows tr").filter(has_text=name)).to_be_visible()
    expect(page.locator("#sending li")).to_have_count(0)
    expect(page.locator("#rows tr").filter(has_text="hidden")).to_have_count(0)


def test_the_chosen_collection_is_in_sight_below_many_others(page):
    page.set_viewport_size({"width": 360, "height": 200})
    page.goto("/library/")
    expect(page.locator("#chosen")).not_to_be_in_viewport()
    page.locator("[data-card] a").first.click()
    expect(page).to_have_url(re.compile("collection="))
    expect(page.locator("#chosen")).to_be_in_viewport()


def test_the_cards_count_what_comes_in(page):
    page.goto("/library/")
    card = page.locator("[data-card] [data-counted]").first
    before = int(card.inner_text().split()[0])
    page.locator("#file").set_input_files(
        {"name": "gate.txt", "mimeType": "", "buffer": b"The gate is green."}
    )
    expect(card).to_have_text(f"{before + 1} documents")


def held(page: Page) -> list[Route]:
    """Files that are sent stay on their way."""
    routes: list[Route] = []
    page.route("**/library/upload/", lambda route: routes.append(route))
    return routes


def texts(*names: str) -> list[FilePayload]:
    return [
        FilePayload(name=f"{name}.txt", mimeType="", buffer=f"The {name} is new.".encode()) for name in names
    ]


HEARD = """() => {
  const live = document.querySelector("#live");
  window.heard = "";
  new MutationObserver(() => { window.heard += live.textContent; }).observe(live, { childList: true, subtree: true });
}"""
"""Keeps what was told to who cannot see: the next news take its place."""


def test_what_is_not_sent_yet_can_be_cancelled(page):
    page.goto("/library/")
    page.evaluate(HEARD)
    with page.expect_request("**/library/upload/"):
        routes = held(page)
        page.locator("#file").set_input_files(texts("kettle", "toaster", "oven", "fridge"))
    expect(page.locator("#uploads")).to_contain_text("0 of 4 sent")
    routes[0].continue_()
    expect(page.locator("#uploads")).to_contain_text("1 of 4 sent")
    page.get_by_role("button", name="Cancel the rest").click()
    expect(page.locator("[data-sent]:visible")).to_have_text("1 of 4 sent, 3 cancelled")
    expect(page.locator("#sending li")).to_have_count(0)
    page.wait_for_function("heard.includes('3 of 4 files were not sent.')")
    page.unroute_all(behavior="ignoreErrors")
    page.locator("#file").set_input_files(texts("sink"))
    expect(page.locator("#uploads")).to_be_hidden()
    for name, count in {"kettle": 1, "sink": 1, "toaster": 0, "oven": 0, "fridge": 0}.items():
        expect(page.locator("#rows tr").filter(has_text=name)).to_have_count(count)


def test_who_leaves_while_files_are_sent_is_asked_first(page):
    page.goto("/library/")
    leave = "() => !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert not page.evaluate(leave)
    held(page)
    page.locator("#file").set_input_files(texts("stapler"))
    expect(page.locator("#uploads")).to_contain_text("0 of 1 sent")
    assert page.evaluate(leave)
    page.get_by_role("button", name="Cancel the rest").click()
    assert not page.evaluate(leave)


def test_of_many_documents_that_settle_a_listener_hears_the_sum(page):
    page.goto("/library/")
    page.evaluate("""() => {
      window.heard = [];
      const live = document.getElementById("live");
      new MutationObserver(() => heard.push(live.textContent)).observe(live, {childList: true});
    }""")
    page.locator("#file").set_input_files(texts(*(f"chair {n}" for n in range(12))))
    expect(page.locator("#rows tr[data-status=ready]").filter(has_text="chair")).to_have_count(
        12, timeout=60_000
    )
    heard = page.evaluate("heard")
    assert 0 < len(heard) < 12
    assert any("documents are ready, 0 failed." in each for each in heard)


def test_a_deletion_is_said_to_be_done(page):
    page.goto("/library/")
    page.locator("#file").set_input_files(texts("hatstand"))
    row = page.locator("#rows tr").filter(has_text="hatstand")
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").filter(has_text="is deleted.")).to_be_visible()
    expect(row).to_have_count(0)
