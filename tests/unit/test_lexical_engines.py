"""Both engines behind the one protocol, and rank_bm25 as the oracle of tantivy."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.access import NOTHING, AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical import IndexedChunk
from retrieval.lexical.bm25 import BM25Index
from retrieval.lexical.tantivy import TantivyIndex

PEOPLE, BOARD = 1, 2
ALL = AccessScope(frozenset({PEOPLE, BOARD}))


def chunk(number: int, text: str, collection: int = PEOPLE, *, document: str = "", title: str = "", **more):
    return IndexedChunk(
        number, document or str(number), collection, title, more.pop("heading", ""), text, **more
    )


@pytest.fixture(params=[TantivyIndex, BM25Index])
def index(request):
    return request.param()


def test_the_better_match_comes_first(index):
    index.replace(
        [], [chunk(1, "parking"), chunk(2, "annual leave is paid"), chunk(3, "annual report of sales")]
    )
    assert index.search("annual leave", ALL, 5).chunks == (2, 3)


def test_only_the_scope_is_searched(index):
    index.replace([], [chunk(1, "leave"), chunk(2, "leave", BOARD)])
    assert index.search("leave", AccessScope(frozenset({PEOPLE})), 5).chunks == (1,)
    assert index.search("leave", AccessScope(frozenset({3})), 5).chunks == ()
    assert index.search("leave", NOTHING, 5).chunks == ()


def test_the_language_of_what_is_not_readable_changes_nothing(index):
    ours, question = AccessScope(frozenset({PEOPLE})), "Wie wird die leave beantragt?"
    index.replace([], [chunk(1, "Paid leave of absence"), chunk(2, "A die is what we call a chip")])
    before = index.search(question, ours, 5)
    index.replace([], [chunk(3, "Der Urlaub wird schriftlich beantragt.", BOARD, languages=("de",))])
    after = index.search(question, ours, 5)
    assert (after.chunks, after.foreign, after.spelt) == (before.chunks, before.foreign, before.spelt)
    assert index.search(question, ALL, 5).foreign


def test_replacing_a_document_drops_all_its_chunks(index):
    index.replace(
        [],
        [chunk(1, "leave", document="a"), chunk(2, "leave", document="a"), chunk(3, "leave", document="b")],
    )
    index.replace(["a"], [chunk(4, "leave", document="a")])
    assert set(index.search("leave", ALL, 5).chunks) == {3, 4}
    index.replace(["a", "b"], [])
    assert index.search("leave", ALL, 5).chunks == ()


def test_a_word_in_the_title_or_heading_counts_more(index):
    texts = [
        chunk(1, "leave and parking"),
        chunk(2, "parking", title="leave"),
        chunk(3, "parking", heading="leave"),
    ]
    index.replace([], [*texts, chunk(4, "lunch")])
    assert index.search("leave", ALL, 5).chunks[-1] == 1


def many(index, rare_in):
    """400 chunks, every one about leave; the first 120 also about zeppelins, and 60 of them about airships."""
    texts = [
        f"{'airship ' if n < 60 else ''}{'zeppelin ' if n < 120 else ''}leave number{n}" for n in range(400)
    ]
    index.replace([], [chunk(n + 1, text, rare_in if n < 120 else PEOPLE) for n, text in enumerate(texts)])
    return index


def test_common_words_still_add_to_what_rarer_ones_find():
    index = many(TantivyIndex(), PEOPLE)
    found = index.search("zeppelin airship", ALL, 1)
    alone = index.search("airship", ALL, 1)
    assert found.hits[0].score > alone.hits[0].score


def test_words_that_are_looked_up_score_like_words_that_are_read_along():
    index = many(TantivyIndex(), PEOPLE)
    index.replace([], [chunk(401, "lunch", BOARD)])  # what hides it is looked up, and so are the other words
    some, everything = AccessScope(frozenset({PEOPLE})), ALL
    for question in ("zeppelin airship", "zeppelin airship leave", "number7 zeppelin airship"):
        assert index.search(question, some, 1).hits == index.search(question, everything, 1).hits
        looked_up, read_along = (index.search(question, scope, 100) for scope in (some, everything))
        assert (
            sorted(looked_up.hits, key=lambda hit: (-hit.score, hit.chunk))[:61]
            == sorted(read_along.hits, key=lambda hit: (-hit.score, hit.chunk))[:61]
        )


def test_a_word_that_nearly_all_have_adds_nothing_where_others_choose():
    index = many(TantivyIndex(), PEOPLE)
    assert index.search("airship leave", ALL, 1).hits == index.search("airship", ALL, 1).hits
    assert len(index.search("leave", ALL, 5)) == 5


def test_a_rare_word_of_unreadable_chunks_hides_nothing():
    index = many(TantivyIndex(), BOARD)
    assert len(index.search("zeppelin leave", AccessScope(frozenset({PEOPLE})), 1)) == 1


def test_a_question_of_stop_words_finds_nothing(index):
    index.replace([], [chunk(1, "leave")])
    assert index.search("what is it?", ALL, 5).chunks == ()
    assert index.search("", ALL, 5).chunks == ()


def test_documents_of_two_languages_are_both_found(index):
    index.replace(
        [],
        [
            chunk(1, "Die Überstunden der Mitarbeiter", languages=("de",)),
            chunk(2, "The overtime of employees"),
        ],
    )
    assert index.search("Überstunde", ALL, 5).chunks == (1,)
    assert index.search("employee", ALL, 5).chunks == (2,)


def test_partial_is_handed_on(index):
    index.partial = True
    assert index.search("leave", ALL, 5).partial


def test_a_very_long_question_is_answered(index):
    index.replace([], [chunk(1, "annual leave")])
    assert index.search("leave " + " ".join(f"word{n}" for n in range(5000)), ALL, 5).chunks == (1,)


@pytest.mark.parametrize(
    ("typed", "written"),
    [("anual", "annual"), ("polciy", "policy"), ("expences", "expenses"), ("laptpo", "laptop")],
)
def test_a_misspelt_word_finds_the_right_one(typed, written):
    index = TantivyIndex()
    index.replace([], [chunk(1, f"the {written} of the company"), chunk(2, "parking")])
    assert index.search(typed, ALL, 5).chunks == (1,)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("RFC7231", "RFC 7231"),
        ("rfc7231?", "RFC 7231"),
        ("ISO27001", "ISO/IEC 27001"),
        ("DIN4102-1", "DIN 4102-1"),
        ("Windows11", "Windows 11"),
        ("RFC 7231", "RFC7231"),
        ("ISO 27001:2013", "ISO27001:2013"),
    ],
)
def test_a_name_with_a_number_is_found_written_apart_or_as_one(typed, written):
    index = TantivyIndex()
    others = ["RFC 2616", "ISO 9001", "DIN 276", "Windows 10", "room 7231", "page 27001"]
    texts = [f"see {written} for it", *(f"see {other} for it" for other in others)]
    index.replace([], [chunk(n, text) for n, text in enumerate(texts, 1)])
    assert index.search(typed, ALL, 5).chunks[:1] == (1,)


def test_a_name_with_a_number_that_is_known_is_not_taken_apart():
    index = TantivyIndex()
    index.replace([], [chunk(1, "RFC7231"), chunk(2, "RFC 7231"), chunk(3, "rfc9110 RFC 9110")])
    assert index.search("RFC7231", ALL, 5).chunks == (1,)
    assert index.search("7231", ALL, 5).chunks == (2,)
    assert set(index.search("RFC 9110", ALL, 5).chunks) == {2, 3}


def test_the_parts_of_a_name_must_stand_in_what_may_be_read():
    index = TantivyIndex()
    index.replace([], [chunk(1, "RFC 7231", BOARD), chunk(2, "an RFC"), chunk(3, "RFC7231", BOARD)])
    people = AccessScope(frozenset({PEOPLE}))
    assert index.search("RFC7231", people, 5).chunks == ()
    assert index.search("RFC 7231", people, 5).chunks == (2,)


def test_a_word_that_is_known_is_not_corrected():
    index = TantivyIndex()
    index.replace([], [chunk(1, "the form"), chunk(2, "the farm")])
    assert index.search("farm", ALL, 5).chunks == (2,)


def test_a_word_that_is_common_in_what_may_not_be_read_is_corrected_all_the_same():
    index, people = TantivyIndex(), AccessScope(frozenset({PEOPLE}))
    index.replace([], [chunk(1, "unused leave expires in march"), chunk(2, "parking")])
    before = index.search("marsh", people, 5)
    index.replace([], [chunk(n, "about marsh, marck", BOARD) for n in range(10, 200)])
    after = index.search("marsh", people, 5)
    assert (after.chunks, after.spelt) == (before.chunks, before.spelt) == ((1,), (("marsh", "march"),))
    assert index.search("marcj", people, 5).spelt == (("marcj", "march"),)
    assert index.search("marsh", ALL, 5).spelt == ()


def test_spellings_come_from_what_may_be_read():
    index = TantivyIndex()
    index.replace([], [chunk(1, "severance plan", BOARD), chunk(2, "parking")])
    people = AccessScope(frozenset({PEOPLE}))
    assert index.search("severence", people, 5).chunks == ()
    assert index.search("severence", ALL, 5).chunks == (1,)


def test_an_index_that_is_opened_again_has_what_was_committed(tmp_path):
    first = TantivyIndex(tmp_path)
    first.replace([], [chunk(1, "leave")])
    first.close()
    assert TantivyIndex(tmp_path).search("leave", ALL, 5).chunks == (1,)


WORDS = st.sampled_from(["leave", "parking", "salary", "laptop", "expense", "travel", "badge", "canteen"])
CHUNKS = st.lists(
    st.tuples(st.integers(1, 4), st.lists(WORDS, min_size=1, max_size=5)), min_size=1, max_size=12
)


@settings(max_examples=25, deadline=None)
@given(
    chunks=CHUNKS, question=st.lists(WORDS, min_size=1, max_size=3), scope=st.frozensets(st.integers(1, 4))
)
def test_all_that_may_be_read_is_found_and_nothing_else(chunks, question, scope):
    index = TantivyIndex()
    index.replace([], [chunk(n, " ".join(words), at) for n, (at, words) in enumerate(chunks, 1)])
    found = index.search(" ".join(question), AccessScope(scope), 50).chunks
    wanted = {n for n, (at, words) in enumerate(chunks, 1) if at in scope and set(words) & set(question)}
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_what_is_not_counted_is_not_readable_either():
    """tantivy counts some 60,000 collections; chunks of the others are in none that a scope could leave out."""
    index = TantivyIndex()
    index.append([chunk(number, "leave", number) for number in range(60_100)])
    scope = AccessScope(frozenset(range(60_050)))
    found = set(index.search("leave", scope, 60_100).chunks)
    assert len(found) > 59_900
    assert found <= scope.collection_ids


@pytest.mark.data
def test_the_engines_agree_on_real_documents(shared_data):
    folder = shared_data / "retrieval" / "northwind_pages"
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    questions = [json.loads(line)["text"] for line in (folder / "queries.jsonl").read_text().splitlines()]
    chunks = [chunk(n, row["text"], n % 3, title=row["title"]) for n, row in enumerate(rows, 1)]
    scope = AccessScope(frozenset({0, 2}))
    ours, oracle = TantivyIndex(), BM25Index()
    ours.replace([], chunks)
    oracle.replace([], chunks)
    shared = [
        len(set(ours.search(text, scope, 10).chunks) & set(wanted)) / len(wanted)
        for text in questions
        if (wanted := oracle.search(text, scope, 10).chunks)
    ]
    assert sum(shared) / len(shared) >= 0.95


@pytest.mark.parametrize(("typed", "written"), [("税", "税金の払い方"), ("책", "책을 빌리다")])
def test_one_letter_of_a_script_in_pairs_finds_the_pairs_that_begin_with_it(typed, written):
    index = TantivyIndex()
    index.append([chunk(1, "休暇の取り方"), chunk(2, written)])
    assert index.search(typed, ALL, 5).chunks == (2,)


GERMAN = "Der Server mit Kubernetes wird nach dem Umzug von der Verwaltung neu gestartet, und zwar an jedem Montag."


def beside_english(index, count=60):
    """One German text among many that are not, with a word in common."""
    languages = ("en", "de")
    what = {0: "Kubernetes"}
    names = [
        f"{what.get(n % 10, 'The server')} of team {n} is with the office, which restarts it."
        for n in range(2, count)
    ]
    index.append([chunk(n, text, languages=languages) for n, text in enumerate([GERMAN, *names], 1)])
    return index


def test_a_text_in_a_language_of_its_own_is_not_behind_those_of_the_others(index):
    found = beside_english(index).search("Wer hat Kubernetes nach dem Umzug gestartet?", ALL, 60)
    assert len(found) > 2
    assert found.chunks[0] == 1


def test_words_are_found_in_all_their_forms_in_a_language_that_nobody_declared(index):
    index.append([chunk(1, GERMAN), chunk(2, "The moves of the office are told to all who are in it.")])
    assert index.search("Umzüge", ALL, 5).chunks == (1,)
    assert index.search("move", ALL, 5).chunks == (2,)


def test_a_word_weighs_the_same_in_each_language(index):
    hits = beside_english(index).search("server", ALL, 60).hits
    german = next(hit.score for hit in hits if hit.chunk == 1)
    english = next(hit.score for hit in hits if hit.chunk == 2)
    assert german == pytest.approx(english, rel=0.3)


def test_what_another_language_knows_is_no_slip():
    index = beside_english(TantivyIndex())
    index.append(
        [chunk(100, "Die Offixe sind mit der Post und dem Paket da, und das ist gut.", languages=("de",))]
    )
    assert index.search("office", ALL, 5).spelt == ()
    assert index.search("offixe", ALL, 5).chunks == (100,)


def test_a_document_whose_language_changes_is_there_once(tmp_path):
    writer = TantivyIndex(tmp_path)
    writer.replace([], [chunk(1, "The leave", document="a"), chunk(2, "The leave", document="b")])
    reader = TantivyIndex(tmp_path)
    writer.replace(["a"], [chunk(3, "Urlaub und leave", document="a", languages=("de",))])
    assert set(reader.search("leave", ALL, 5).chunks) == {1, 2}
    reader.reload()
    assert set(reader.search("leave", ALL, 5).chunks) == {3, 2}
    writer.close()
    reader.replace(["a"], [chunk(4, "The leave", document="a")])  # it writes now
    assert set(reader.search("leave", ALL, 5).chunks) == {4, 2}


def test_who_comes_to_write_knows_what_was_written_before(tmp_path):
    writer = TantivyIndex(tmp_path)
    writer.replace([], [chunk(1, "The leave", document="a")])
    other = TantivyIndex(tmp_path)
    writer.replace([], [chunk(2, "Der Urlaub", document="b", languages=("de",))])
    writer.close()
    other.replace(["b"], [])
    assert other.search("Urlaub", ALL, 5).chunks == ()


def test_a_language_that_is_missing_is_an_error(tmp_path):
    writer = TantivyIndex(tmp_path)
    writer.replace([], [chunk(1, "The leave"), chunk(2, "Der Urlaub", languages=("de",))])
    writer.close()
    shutil.rmtree(tmp_path / "de")
    with pytest.raises(LexicalError, match="'de'"):
        TantivyIndex(tmp_path)


def test_what_fails_half_way_is_neither_seen_nor_twice_there_afterwards(index):
    def breaking():
        yield chunk(1, "Der Urlaub", document="a", languages=("de",))
        raise OSError("the source is gone")

    index.replace([], [chunk(2, "leave", document="b")])
    with pytest.raises((LexicalError, OSError)):
        index.replace(["a"], breaking())
    assert index.search("Urlaub", ALL, 5).chunks == ()
    index.replace(["a"], [chunk(1, "Der Urlaub", document="a", languages=("de",))])
    assert index.search("Urlaub", ALL, 5).chunks == (1,)


def test_small_words_of_a_question_do_not_count_where_they_are_rare(index):
    index.append(
        [
            chunk(1, "Wie der Urlaub beantragt wird, steht hier und in der Ordnung.", languages=("en", "de")),
            chunk(
                2, "The names of the rooms are Wie, Kann and Ich, and so they are.", languages=("en", "de")
            ),
            *(
                chunk(n, f"The plan for the room {n} is with the office.", languages=("en", "de"))
                for n in range(3, 40)
            ),
        ]
    )
    assert index.search("Wie kann ich den Urlaub beantragen?", ALL, 1).chunks == (1,)


def test_a_ranking_tells_which_words_it_took_for_slips():
    index = TantivyIndex()
    index.append([chunk(1, "the probation period"), chunk(2, "the parking garage")])
    assert index.search("probaton garage", ALL, 5).spelt == (("probaton", "probat"),)
