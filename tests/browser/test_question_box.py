"""The question box, and what becomes of a question until it is acknowledged."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.browser.acts import LEAVE, ask, finished, passage

pytestmark = pytest.mark.browser


def test_a_second_question_before_the_first_is_acknowledged_is_of_the_same_conversation(page, script):
    script.asked()
    script.asked("And for part-timers?")
    first, second = script.of("ask")
    assert first["conversation"]
    assert second["conversation"] == first["conversation"]


def test_all_questions_never_acknowledged_are_sent_again_after_a_reload(page, script):
    runs = [script.asked(), script.asked("And for part-timers?")]
    page.reload()
    script.wait(lambda: len(script.of("ask")) == 4)
    assert [frame["id"] for frame in script.of("ask")] == runs * 2


def test_a_question_that_was_refused_is_not_asked_again_by_a_reload(page, script):
    run = script.asked()
    script.say(run, "error", code="at_capacity", message="At capacity.", retry_after=3)
    expect(page.get_by_role("button", name="Try again in 3 s")).to_be_visible()
    page.reload()
    script.wait(lambda: len(script.sockets) == 2)
    expect(page.locator("#composer[data-ready]")).to_be_visible()
    expect(page.locator(".run-question")).to_have_count(0)


def test_another_user_of_the_browser_does_not_ask_what_the_one_before_had_asked(page, script):
    script.asked()
    page.evaluate("""() => {
      const key = "citefirst.pending";
      const pending = JSON.parse(sessionStorage.getItem(key));
      sessionStorage.setItem(key, JSON.stringify({...pending, user: pending.user + 1}));
    }""")
    page.reload()
    expect(page.locator("#composer[data-ready]")).to_be_visible()
    expect(page.locator(".run-question")).to_have_count(0)


def test_a_question_that_nobody_acknowledges_is_sent_anew_over_another_connection(page, script):
    page.clock.install()
    run = script.asked()
    page.clock.run_for(9000)  # the line was dead, as after a sleep, and the browser did not know
    script.wait(lambda: len(script.sockets) == 2 and len(script.of("ask")) == 2)
    assert script.of("ask")[1]["id"] == run


def test_an_enter_that_ends_a_composition_asks_nothing(page, script):
    box = page.get_by_label("Your question")
    box.fill("年次有給休暇")
    box.evaluate("""(e) => {
      const enter = (init) => e.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, ...init}));
      enter({isComposing: true});
      enter({keyCode: 229});
    }""")
    expect(box).to_have_value("年次有給休暇")
    expect(page.locator(".run-question")).to_have_count(0)


def test_what_is_too_long_is_said_to_be_and_not_cut_off(page, script):
    text = "Why? " * 900
    ask(page, text)
    box = page.get_by_label("Your question")
    expect(box).to_have_value(text)
    assert (
        box.evaluate("e => e.validationMessage") == "This has 4,499 characters; at most 4,000 are answered."
    )
    box.fill("Why?")
    page.keyboard.press("Enter")
    expect(page.locator(".run-question")).to_have_text("Why?")


def test_the_answer_to_a_very_long_question_is_in_sight(page, script):
    run = script.asked("Why are there so many days? " * 140)
    script.accept(run)
    script.say(run, "delta", text="There are 25.")
    expect(page.locator(".answer p")).to_be_in_viewport()


def test_who_stops_by_keyboard_goes_on_in_the_question_box(page, script):
    run = script.asked()
    script.accept(run)
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    script.wait(lambda: bool(script.of("stop")))
    script.done(run, "", [], finish="stopped")
    expect(page.get_by_label("Your question")).to_be_focused()


# As they are, and what is left of a screen when its text is four times as large.
@pytest.mark.parametrize(("width", "height"), [(640, 640), (320, 256)])
def test_what_has_the_focus_is_not_under_what_sticks(page, script, width, height):
    page.set_viewport_size({"width": width, "height": height})
    run = script.asked()
    script.accept(run)
    many = [passage(n, "Text. " * 30, []) for n in range(1, 9)]
    script.say(run, "citations", route="hybrid", final=True, passages=many)
    link = page.locator(".source-title")
    for n in range(8):
        link.nth(n).focus()
        assert link.nth(n).evaluate("""(e) => {
          const {left, top, bottom} = e.getBoundingClientRect();
          return e.contains(document.elementFromPoint(left + 2, (top + bottom) / 2));
        }""")


def test_a_question_on_an_earlier_part_of_a_conversation_goes_to_its_end(page):
    page.goto("/")
    ask(page, LEAVE)
    finished(page)
    here, run = urlsplit(page.url).path, page.locator(".run").get_attribute("data-run")
    page.goto(f"{here}?before={run}")
    ask(page, "And for part-timers?")
    expect(page).to_have_url(re.compile(f"{here}$"))
    finished(page, 2)
    expect(page.locator(".run-question")).to_have_text([LEAVE, "And for part-timers?"])


def test_a_question_is_edited_in_the_box_and_what_stood_there_comes_back(page, script):
    run = script.asked()
    script.accept(run)
    script.done(run, "<p>Yes.</p>", [])
    box = page.get_by_label("Your question")
    box.fill("a draft")
    page.get_by_role("button", name="Edit").click()
    expect(box).to_be_focused()
    expect(box).to_have_value(LEAVE)
    page.keyboard.press("Control+z")
    expect(box).to_have_value("a draft")
    page.get_by_role("button", name="Edit").click()
    page.keyboard.type(" In a part-time job?")
    page.keyboard.press("Enter")
    script.wait(lambda: len(script.of("ask")) == 2)
    assert script.of("ask")[1]["question"] == f"{LEAVE} In a part-time job?"


def test_a_question_sent_before_the_script_has_come_is_asked(page):
    held: list[Route] = []
    page.route("**/js/ask*.js", lambda route: held.append(route))
    page.goto("/", wait_until="commit")
    page.get_by_label("Your question").fill(LEAVE)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#composer[data-early]")).to_be_visible()
    for route in held:
        route.continue_()
    finished(page)
    expect(page.locator(".run-question")).to_have_text(LEAVE)


def test_a_question_is_kept_where_a_script_does_not_come(browser, site, session_cookies):
    context = browser.new_context(base_url=site)
    context.add_cookies(session_cookies)
    page = context.new_page()
    page.route("**/js/sources*.js", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_text("A part of this page could not be loaded.")).to_be_visible()
    page.get_by_label("Your question").fill(LEAVE)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_label("Your question")).to_have_value(LEAVE)
    assert urlsplit(page.url).query == ""
    context.close()
