"""Chunking keeps every word, within its limits, under its headings."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.ingestion.blocks import CODE, HEADING, ITEM, TEXT, Block, ParsedDocument, table_block
from retrieval.ingestion.chunking import DEFAULTS, Chunk, chunk, count_tokens, indexed_text

SMALL = st.text("ab cd éß漢字.!?:-\n", min_size=1, max_size=60).filter(str.strip)
LARGE = st.builds(lambda text, times: text * times, SMALL, st.integers(1, 120))
TABLES = st.lists(st.lists(SMALL, min_size=1, max_size=4), min_size=1, max_size=60).map(table_block)
BLOCKS = st.one_of(
    st.builds(Block, st.just(HEADING), SMALL.map(str.strip), level=st.integers(1, 6)),
    st.builds(Block, st.sampled_from([TEXT, ITEM, CODE]), LARGE),
    TABLES.filter(bool),
)


def document(*blocks: Block, title: str = "") -> ParsedDocument:
    return ParsedDocument(title, blocks, "text/plain")


def text(words: str, kind: str = TEXT, **more) -> Block:
    return Block(kind, words, **more)


def heading(words: str, level: int = 1) -> Block:
    return Block(HEADING, words, level=level)


def bare(words: str) -> str:
    return re.sub(r"\s+|```", "", words)


def everything(chunks: list[Chunk]) -> str:
    return bare("".join(f"{each.heading}{each.text}" for each in chunks))


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS, max_size=12))
def test_no_text_is_lost(blocks):
    found = everything(chunk(document(*blocks)))
    for block in blocks:
        for word in block.text.split():
            assert word in found or any(bare(part) in found for part in re.findall(r".{1,8}", word))


@settings(max_examples=150, deadline=None)
@given(st.lists(LARGE, min_size=1, max_size=8))
def test_running_text_is_kept_exactly_and_in_order(paragraphs):
    chunks = chunk(document(*map(text, paragraphs)))
    assert bare("".join(each.text for each in chunks)) == bare("".join(paragraphs))


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS, max_size=12))
def test_no_chunk_is_over_the_limit_or_empty(blocks):
    for each in chunk(document(*blocks)):
        assert each.text.strip()
        assert count_tokens(each.text) <= DEFAULTS.most


@settings(max_examples=50, deadline=None)
@given(st.lists(BLOCKS, max_size=12))
def test_the_same_document_gives_the_same_chunks(blocks):
    assert chunk(document(*blocks)) == chunk(document(*blocks))


def test_chunks_are_numbered_from_nought():
    chunks = chunk(document(*(text("word " * 200) for _ in range(5))))
    assert [each.ordinal for each in chunks] == list(range(len(chunks)))
    assert len(chunks) > 3


def test_a_chunk_names_the_headings_above_it():
    long = "word " * 100
    chunks = chunk(document(heading("Leave"), text(long), heading("Sick leave", 2), text(long)))
    assert [each.heading for each in chunks] == ["Leave", "Leave › Sick leave"]


def test_a_heading_that_repeats_the_title_is_left_out_of_the_path():
    chunks = chunk(document(heading("Travel"), heading("Hotels", 2), text("word " * 100), title="Travel"))
    assert [each.heading for each in chunks] == ["Hotels"]


def test_a_heading_with_nothing_under_it_is_kept_as_text():
    (only,) = chunk(document(heading("Closed on Mondays"), heading("Contact"), text("Call us.")))
    assert "Closed on Mondays" in only.text


def test_a_divided_table_repeats_its_header_in_each_part():
    rows = [["Grade", "Hotel"], *([f"grade {n}", f"{n} EUR a night in any city"] for n in range(80))]
    chunks = chunk(document(table_block(rows)))
    assert len(chunks) > 3
    assert all(each.text.startswith("| Grade | Hotel |\n| --- | --- |\n") for each in chunks)


def test_a_table_is_never_divided_within_a_row():
    rows = [["Grade", "Hotel"], *([f"grade {n}", f"{n} EUR a night in any city"] for n in range(80))]
    lines = [line for each in chunk(document(table_block(rows))) for line in each.text.split("\n")]
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines)


def test_divided_code_stays_code():
    chunks = chunk(document(text("\n".join(f"step_{n} = run({n})" for n in range(150)), CODE)))
    assert len(chunks) > 2
    assert all(each.text.startswith("```\n") and each.text.endswith("\n```") for each in chunks)


def test_an_introduction_goes_with_its_list():
    items = [text(f"- the cover of item {n} " + "word " * 30, ITEM) for n in range(5)]
    chunks = chunk(document(text("word " * 180), text("The following are covered:"), *items))
    (with_list,) = [each for each in chunks if "The following" in each.text]
    assert "item 0" in with_list.text


def test_small_sections_of_one_parent_share_a_chunk_and_keep_their_headings():
    blocks = [
        heading("Office"),
        heading("Doors", 2),
        text("Open at eight."),
        heading("Keys", 2),
        text("Ask Ann."),
    ]
    (only,) = chunk(document(*blocks))
    assert only.heading == "Office"
    assert only.text == "Doors\n\nOpen at eight.\n\nKeys\n\nAsk Ann."


def test_small_sections_of_different_parents_stay_apart():
    blocks = [heading("Office"), heading("Doors", 2), text("Open at eight.")]
    blocks += [heading("Travel"), heading("Trains", 2), text("First class.")]
    assert [each.heading for each in chunk(document(*blocks))] == ["Office › Doors", "Travel › Trains"]


def test_a_chunk_bears_the_page_it_begins_on():
    chunks = chunk(document(text("word " * 100, page=1), text("term " * 100, page=2)))
    assert [each.page for each in chunks] == [1, 2]


def test_a_sentence_is_not_divided_where_it_need_not_be():
    sentence = "The allowance is forty euros a day for every traveller of the company. "
    chunks = chunk(document(text(sentence * 60)))
    assert len(chunks) > 3
    assert all(each.text.endswith("company.") for each in chunks)


def test_indexed_text_has_title_and_headings_in_front():
    assert (
        indexed_text("Travel", "Hotels › Abroad", "Up to 140 EUR.")
        == "Travel › Hotels › Abroad\nUp to 140 EUR."
    )


def test_indexed_text_of_a_bare_chunk_is_its_text():
    assert indexed_text("", "", "Up to 140 EUR.") == "Up to 140 EUR."


def test_a_document_that_is_its_title_alone_has_a_chunk():
    assert [each.text for each in chunk(document(heading("Office map"), title="Office map"))] == [
        "Office map"
    ]
