"""What is heard of an answer, and what is said about it when it stands."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acts import LEAVE, Script, passage
from tests.browser.test_access import NAMES

pytestmark = pytest.mark.browser

CITED = '<p>You get 25 days <a class="cite" href="#source-1" data-n="1">1</a>.</p>'
WAITING = "The model takes its time. Until it answers, this is what the sources say."
WAITED = "The model was slow, so sentences from the sources were shown first."
NONE = "The model did not answer, or not to the end."


def heard(page: Page):
    return expect(page.locator("#announce"))


def begun(script: Script) -> str:
    run = script.asked()
    script.accept(run)
    script.say(run, "citations", route="hybrid", final=True, passages=[passage(1, "You get 25 days.", [])])
    return run


def test_an_answer_is_heard_once_with_its_label_and_its_sources(page, script):
    run = begun(script)
    heard(page).to_have_text("1 source found.")
    script.say(run, "delta", text="You get 25 days [1].")
    expect(page.locator(".answer a.cite")).to_be_visible()
    heard(page).to_have_text("1 source found.")
    script.done(run, CITED, [1], finish="extractive", route="lexical")
    heard(page).to_have_text(
        "Answer, quoted from the passages alone, found by words alone:"
        " You get 25 days (source 1). It cites 1 source."
    )


@pytest.mark.parametrize(
    ("finish", "more", "left"),
    [("complete", [], [WAITED]), ("extractive", ["generate_timeout"], [NONE]), ("stopped", [], [WAITED])],
)
def test_nothing_is_said_to_be_awaited_when_the_answer_stands(page, script, finish, more, left):
    run = begun(script)
    script.say(run, "notice", code="provisional_extract", message=WAITING)
    notices = page.locator(".notices li")
    expect(notices).to_have_text([WAITING])
    heard(page).to_have_text(WAITING)
    for code in more:
        script.say(run, "notice", code=code, message=NONE)
    script.done(run, CITED, [1], finish=finish, degraded=["provisional_extract", *more])
    expect(notices).to_have_text(left)


def test_each_list_of_sources_is_named_after_its_question(page, script):
    script.done(begun(script), CITED, [1])
    script.done(begun(script), CITED, [1])
    expect(page.locator(".run[data-state=done]")).to_have_count(2)
    expect(page.get_by_role("region", name=f"Sources {LEAVE}")).to_have_count(2)
    page.locator(".run").last.locator("h2").evaluate("(e) => (e.textContent = 'Another question?')")
    assert page.evaluate(NAMES) == []


def test_a_device_without_a_network_is_said_to_be(page, script):
    begun(script)
    expect(page.locator(".source")).to_be_visible()
    page.context.set_offline(True)
    said = page.get_by_text("This device is offline.")
    expect(said).to_be_visible()
    page.context.set_offline(False)
    expect(said).to_be_hidden()
