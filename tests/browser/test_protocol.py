"""The page's side of the socket, against a server that follows a script."""

import pytest
from playwright.sync_api import expect

from tests.browser.acts import LEAVE, Script, passage

pytestmark = pytest.mark.browser

TEXT = "First of all 🌴. You get 25 days a year. The rest is silence."
POINT = [16, 40]


def sources(script: Script, run: str, *, final: bool = True) -> None:
    script.say(run, "citations", route="hybrid", final=final, passages=[passage(1, TEXT, [POINT])])


def test_marks_count_characters_and_not_utf16_units(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run)
    expect(page.locator(".source mark")).to_have_text("You get 25 days a year.")


def test_sources_can_be_read_while_no_word_has_come(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run, final=False)
    expect(page.locator(".source-title")).to_have_text("Document 1")
    expect(page.get_by_text("first matches, still searching")).to_be_visible()
    expect(page.locator(".answer")).to_be_empty()


def test_final_sources_take_the_place_of_the_first_matches(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run, final=False)
    both = [passage(1, TEXT, [POINT]), passage(2, "Another.", [])]
    script.say(run, "citations", route="hybrid", final=True, passages=both)
    expect(page.locator(".source")).to_have_count(2)
    expect(page.locator(".sources.provisional")).to_have_count(0)


def test_text_that_arrives_is_never_markup(page, script):
    run = script.asked()
    script.accept(run)
    script.say(run, "delta", text="<img src=x onerror=alert(1)> **bold** [1] [9](javascript:alert(1))")
    expect(page.locator(".answer")).to_contain_text("<img src=x onerror=alert(1)> bold [1] [9](javascript")
    expect(page.locator(".answer img, .answer a")).to_have_count(0)


def test_numbers_become_links_to_sources_that_were_sent(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run)
    script.say(run, "delta", text="You get 25 days [1] or more [7].")
    expect(page.locator(".answer a.cite")).to_have_count(1)
    page.locator(".answer a.cite").hover()
    expect(page.locator(".source")).to_contain_class("lit")


def test_an_answer_that_is_replaced_leaves_nothing_behind(page, script):
    run = script.asked()
    script.accept(run)
    script.say(run, "delta", text="A first try.\n\nWith two parts.")
    script.say(run, "replace", text="A better answer.")
    expect(page.locator(".answer")).to_have_text("A better answer.")


def test_the_servers_html_takes_the_place_of_the_stream(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run)
    script.say(run, "delta", text="25 days [1]")
    html = '<p>You get <strong>25</strong> <a class="cite" href="#source-1" data-n="1">1</a></p>'
    script.done(run, html, [1])
    expect(page.locator(".answer strong")).to_have_text("25")
    page.locator(".answer a.cite").click()
    expect(page.locator(".source")).to_be_focused()


def test_frames_that_come_twice_are_shown_once(page, script):
    run = script.asked()
    script.accept(run)
    script.say(run, "delta", text="One. ")
    script.again(run, 2, "delta", text="One. ")
    script.say(run, "delta", text="Two.")
    expect(page.locator(".answer")).to_have_text("One. Two.")


def test_a_gap_is_filled_by_a_resumption(page, script):
    run = script.asked()
    script.accept(run)
    script.again(run, 3, "delta", text="lost before this")
    script.wait(lambda: bool(script.of("resume")))
    assert script.of("resume")[0] == {"type": "resume", "run": run, "after": 1}


def test_a_lost_connection_is_resumed_after_the_last_frame(page, script):
    run = script.asked()
    script.accept(run)
    script.say(run, "delta", text="One. ")
    expect(page.locator(".answer")).to_have_text("One.")
    script.sockets[-1].close(code=1011)
    script.wait(lambda: len(script.sockets) == 2 and bool(script.of("resume")))
    assert script.of("resume")[0] == {"type": "resume", "run": run, "after": 2}
    script.say(run, "delta", text="Two.")
    expect(page.locator(".answer")).to_have_text("One. Two.")


def test_a_question_never_acknowledged_is_sent_again_with_its_id(page, script):
    run = script.asked()
    script.sockets[-1].close(code=1011)
    script.wait(lambda: len(script.of("ask")) == 2)
    assert [frame["id"] for frame in script.of("ask")] == [run, run]


def test_a_reload_before_the_acknowledgement_asks_once(page, script):
    run = script.asked()
    page.reload()
    script.wait(lambda: len(script.of("ask")) == 2)
    assert script.of("ask")[1]["id"] == run
    expect(page.locator(".run-question")).to_have_text(LEAVE)


def test_an_error_counts_down_until_it_can_be_tried_again(page, script):
    run = script.asked()
    page.clock.install()
    script.say(run, "error", code="at_capacity", message="At capacity, try again in 3 s.", retry_after=3)
    button = page.get_by_role("button", name="Try again")
    expect(button).to_have_text("Try again in 3 s")
    expect(button).to_be_disabled()
    for _ in range(3):
        page.clock.run_for(1000)
    expect(button).to_be_enabled()
    button.click()
    script.wait(lambda: len(script.of("ask")) == 2)
    assert script.of("ask")[1]["question"] == LEAVE
    assert script.of("ask")[1]["id"] != run


def test_typing_sends_one_hint_a_pause(page, script):
    page.clock.install(time=0)
    page.clock.pause_at(10_000)  # else a slow machine pauses between the keys
    page.get_by_label("Your question").press_sequentially("annual leave")
    page.clock.run_for(1000)
    script.wait(lambda: bool(script.of("typing")))
    assert script.of("typing") == [{"type": "typing", "text": "annual leave", "conversation": None}]


def test_what_was_given_up_is_told_in_words(page, script):
    run = script.asked()
    script.accept(run)
    script.say(run, "notice", code="vector_timeout", message="The search by meaning was left out.")
    script.done(run, "<p>Yes.</p>", [], route="lexical", finish="extractive", degraded=["vector_timeout"])
    expect(page.locator(".notices li")).to_have_text(["The search by meaning was left out."])
    expect(page.locator(".run-foot .badge")).to_have_text(
        ["Quoted from the passages alone", "Found by words alone"]
    )


def test_the_answer_to_a_similar_question_is_not_called_a_kept_one(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run)
    script.done(run, "<p>Yes.</p>", [], finish="cached", degraded=["generate_error", "similar_answer"])
    expect(page.locator(".run-foot .badge")).to_have_text(["Answer to a similar question"])


def test_the_time_of_each_stage_can_be_unfolded(page, script):
    run = script.asked()
    script.accept(run)
    stages = [
        {"stage": "store", "start_ms": 0, "ms": 1, "outcome": "ok"},
        {"stage": "lexical", "start_ms": 1, "ms": 4, "outcome": "ok"},
        {"stage": "embed", "start_ms": 1, "ms": 1000, "outcome": "timeout"},
    ]
    script.done(run, "<p>Yes.</p>", [], stages=stages)
    page.get_by_text("Answered in 1.00 s").click()
    expect(page.get_by_role("row", name="Keeping the question 1 ms")).to_be_visible()
    expect(page.get_by_role("row", name="Question’s meaning 1.00 s too slow, left out")).to_be_visible()


def test_passages_that_were_not_cited_fold_away(page, script):
    run = script.asked()
    script.accept(run)
    many = [passage(n, f"Text {n}.", []) for n in range(1, 6)]
    script.say(run, "citations", route="hybrid", final=True, passages=many)
    page.set_viewport_size({"width": 390, "height": 844})
    narrow = (
        "document.querySelector('.source:not([hidden])').offsetWidth"
        " < 0.95 * document.querySelector('.sources').offsetWidth"
    )
    assert page.evaluate(narrow)  # the next one shows at the side
    script.done(run, '<p>Yes <a class="cite" href="#source-2" data-n="2">2</a>.</p>', [2])
    expect(page.locator(".source:visible")).to_have_count(1)
    assert not page.evaluate(narrow)
    page.get_by_role("button", name="4 more that were looked at").click()
    expect(page.locator(".source:visible")).to_have_count(5)


def test_whoever_is_logged_out_is_told_so(page, script):
    script.sockets[-1].close(code=4401)
    expect(page.get_by_text("You have been logged out.")).to_be_visible()


def test_a_table_is_one_while_it_is_being_written(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run)
    script.say(run, "delta", text="Days:\n\n| Occasion | Days |\n|---|---:|\n| Wedding [1] | 2 |\n| Mov")
    expect(page.locator(".answer th")).to_have_text(["Occasion", "Days"])
    expect(page.locator(".answer td")).to_have_text(["Wedding 1", "2", "Mov"])


def test_a_table_in_a_source_is_shown_without_its_rule(page, script):
    run = script.asked()
    script.accept(run)
    text = "| Occasion | Days |\n| --- | --- |\n| Wedding | 2 |"
    script.say(run, "citations", route="hybrid", final=True, passages=[passage(1, text, [])])
    expect(page.locator(".source-text")).to_have_text("Occasion | Days Wedding | 2")


def test_a_source_is_cut_between_sentences(page, script):
    run = script.asked()
    script.accept(run)
    point = "Joiners get one twelfth a month."
    cut = "What was agreed before this handbook came stays as it is for those it was agreed with. "
    text = f"{cut}The leave year\n\nIt runs from 1 January. {point}\n\nAnd more."
    marks = [[text.index(point), text.index(point) + len(point)]]
    script.say(run, "citations", route="hybrid", final=True, passages=[passage(1, text, marks)])
    expect(page.locator(".source-text")).to_have_text(f"… The leave year It runs from 1 January. {point} …")


def test_nothing_is_said_to_be_left_out_between_sentences_that_follow_each_other(page, script):
    run = script.asked()
    script.accept(run)
    points = (
        "You may carry over up to five unused days.",
        "Carried-over days must be taken by the end of March; after that\nthey lapse, whatever the reason.",
    )
    text = " ".join(points) + "\n"
    marks = [[text.index(point), text.index(point) + len(point)] for point in points]
    script.say(run, "citations", route="hybrid", final=True, passages=[passage(1, text, marks)])
    expect(page.locator(".source-text")).to_have_text(text)  # as far as white space goes
    expect(page.locator(".source-text mark")).to_have_count(2)
    expect(page.get_by_role("button", name="Whole passage")).to_have_count(0)


def test_an_answer_from_right_to_left_runs_that_way(page, script):
    run = script.asked()
    script.accept(run)
    sources(script, run)
    script.say(run, "delta", text="أيام الإجازة السنوية [1]")
    link, paragraph = page.locator(".answer a.cite"), page.locator(".answer p")
    expect(link).to_be_visible()
    inside, around = link.bounding_box(), paragraph.bounding_box()
    assert inside
    assert around
    assert inside["x"] > around["x"] + around["width"] / 2  # at the right edge, where such a line begins


def test_turns_out_of_sight_cost_nothing_while_an_answer_grows(page, script):
    laid_out = "(e) => e.querySelector('.answer').checkVisibility({contentVisibilityAuto: true})"
    for number in range(1, 9):
        run = script.asked()
        script.accept(run)
        sources(script, run)
        script.done(run, "<p>Yes.</p>" * 20, [])
        expect(page.locator(".run[data-state=done]")).to_have_count(number)
    expect(page.locator(".run").last.locator("h2")).to_be_in_viewport()
    assert page.locator(".run").last.evaluate(laid_out)
    assert not page.locator(".run").first.evaluate(laid_out)
    page.emulate_media(media="print")
    assert page.locator(".run").first.evaluate(laid_out)
