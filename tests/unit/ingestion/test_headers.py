"""Headers of two rows: groups of columns above what they are."""

import pytest

from retrieval.ingestion.blocks import table_block
from retrieval.ingestion.parsing import parse

GROUPS = ["Zone", "Standard", "", "Express", ""]
PARTS = ["", "up to 5 kg", "up to 20 kg", "up to 5 kg", "up to 20 kg"]
NORWAY = ["Norway", "4.90", "8.50", "12.90", "19.50"]
ABOVE_EACH = (
    "| Zone | Standard, up to 5 kg | Standard, up to 20 kg | Express, up to 5 kg | Express, up to 20 kg |"
)


def header(*rows: list[str]) -> str:
    block = table_block(rows)
    assert block
    return block.text.splitlines()[0]


def test_a_group_stands_in_the_header_of_each_of_its_columns():
    assert header(GROUPS, PARTS, NORWAY) == ABOVE_EACH
    assert header(["", *GROUPS[1:]], ["Zone", *PARTS[1:]], NORWAY) == ABOVE_EACH


def test_a_column_that_is_in_no_group_keeps_its_name():
    found = header(
        ["City", "Rent", "", "Staff"],
        ["", "2023", "2024", ""],
        ["Bonn", "10", "12", "4"],
        ["Graz", "9", "9", "3"],
    )
    assert found == "| City | Rent, 2023 | Rent, 2024 | Staff |"


@pytest.mark.parametrize(
    "rows",
    [
        [["Shift", "Monday", "", "Tuesday"], ["Early", "Ada", "Bo", "Cy"], ["Late", "Di", "Eli", "Fay"]],
        [["", "Monday", "", "Tuesday"], ["Early", "Ada", "Bo", "Cy"], ["Late", "Di", "Eli", "Fay"]],
        [["Item", "Price", "", "Note"], ["", "12 EUR", "net", ""], ["Lamp", "39 EUR", "net", "blue"]],
        [["Item", "", "Price"], ["", "Lamp", "39 EUR"], ["B", "Desk", "120 EUR"]],
        [GROUPS, PARTS],
    ],
    ids=["rows with names", "an empty corner", "figures", "an unnamed column", "nothing below"],
)
def test_a_row_of_the_table_is_no_header(rows):
    block = table_block(rows)
    assert block
    assert len(block.text.splitlines()) == len(rows) + 1


def test_merged_cells_of_a_page_are_such_a_header():
    page = """<h1>Rates</h1><table>
        <tr><th rowspan=2>Zone</th><th colspan=2>Standard</th><th colspan=2>Express</th></tr>
        <tr><th>up to 5 kg</th><th>up to 20 kg</th><th>up to 5 kg</th><th>up to 20 kg</th></tr>
        <tr><td>Norway</td><td>4.90</td><td>8.50</td><td>12.90</td><td>19.50</td></tr></table>"""
    text = parse(page.encode(), "rates.html").blocks[-1].text
    assert text.splitlines() == [
        ABOVE_EACH,
        "| --- | --- | --- | --- | --- |",
        "| Norway | 4.90 | 8.50 | 12.90 | 19.50 |",
    ]
