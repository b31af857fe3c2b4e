"""Tables as text, in the ways that programs write them."""

import pytest

from retrieval.ingestion.blocks import TABLE
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
