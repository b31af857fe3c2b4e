"""Tables as text, in the ways that programs write them."""

import pytest

from retrieval.ingestion.blocks import TABLE, TEXT
from retrieval.ingestion.parsing import parse


def blocks(text: str, name: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse(text.encode(), name).blocks]


@pytest.mark.parametrize("rows", [5, 40, 2000])
def test_rows_of_several_lines_are_rows(rows):
    text = "id;text\n" + "".join(f'{row};"One\nand two"\n' for row in range(rows))
    ((kind, table),) = blocks(text, "a.csv")
    assert (kind, table.count("\n")) == (TABLE, rows + 1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(end):
    text = end.join(["id,name", "1,Ann", "2,Bo", ""])
    assert blocks(text, "a.csv") == [(TABLE, "| id | name |\n| --- | --- |\n| 1 | Ann |\n| 2 | Bo |")]


def test_a_delimiter_may_be_stated_as_for_excel():
    assert blocks("sep=;\nid;name\n1;Ann\n", "a.csv") == [
        (TABLE, "| id | name |\n| --- | --- |\n| 1 | Ann |")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Dear Ms Smith,\nthank you for your letter, which came today.\n",
        "Dear Ms Smith,\nthank you for your letter,\n",
        "Paris is large, Rome is old\nBonn is small, Ulm is near\n",
        "Revenue 3,5\nProfit 4,2\nLoss 1,1\n",
        "First, we eat; then, we talk.\nNext, we read; then, we sleep.\n",
        "Yes, no, perhaps.\nNow, then, never.\nHere, there, nowhere.\n",
    ],
)
def test_prose_with_commas_is_no_table(text):
    assert {kind for kind, _ in blocks(text, "a.txt")} == {TEXT}


@pytest.mark.parametrize(
    "text",
    [
        "city,rate\nUlm,40\n",
        "city;rate\nUlm;4,5\nBonn;4,2\n",
        "Name, Age, City\nAnn, 34, Ulm\nBob, 41, Bonn\n",
        'question,answer\n"May I, or may I not?","You may, but ask."\n',
        "city\trate\nUlm\t40\n",
    ],
)
def test_a_table_is_one_whatever_its_name(text):
    assert [kind for kind, _ in blocks(text, "a.txt")] == [TABLE]
    assert [kind for kind, _ in blocks(text, "a.csv")] == [TABLE]
