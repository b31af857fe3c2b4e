"""The tables on a sheet as people lay them out: with titles above, gaps between and empty columns beside them."""

import io

import openpyxl

from retrieval.ingestion.blocks import HEADING, TABLE, TEXT
from retrieval.ingestion.parsing import parse


def read(*rows: str) -> list[tuple[str, str]]:
    """Of a sheet with a cell for each part between bars; digits are numbers."""
    made = openpyxl.Workbook()
    for number, row in enumerate(rows, 1):
        for place, text in enumerate(row.split("|"), 1):
            value = text.strip()
            made.active.cell(number, place, (int(value) if value.isdigit() else value) or None)
    data = io.BytesIO()
    made.save(data)
    return [(block.kind, block.text) for block in parse(data.getvalue(), "a.xlsx").blocks[1:]]


def test_what_stands_above_a_header_is_a_heading_and_text():
    assert read("Sales 2024", "As of March", "", "Region | Q1", "North | 3") == [
        (HEADING, "Sales 2024"),
        (TEXT, "As of March"),
        (TABLE, "| Region | Q1 |\n| --- | --- |\n| North | 3 |"),
    ]


def test_tables_with_a_gap_between_them_have_their_own_headers():
    rows = (
        "City | Rate",
        "Rome | 9",
        "",
        "Cars",
        "Model | Doors",
        "Uno | 3",
        "",
        "| Owner | Since",
        "| Ann | 2019",
    )
    assert read(*rows) == [
        (TABLE, "| City | Rate |\n| --- | --- |\n| Rome | 9 |"),
        (HEADING, "Cars"),
        (TABLE, "| Model | Doors |\n| --- | --- |\n| Uno | 3 |"),
        (TABLE, "| Owner | Since |\n| --- | --- |\n| Ann | 2019 |"),
    ]


def test_the_groups_of_a_table_stay_under_its_header():
    rows = ("Name | Team | Phone", "Ann | Sales | 12", "", "Support", "Bob | Support", "Cem | Support | 7")
    assert read(*rows) == [
        (
            TABLE,
            "| Name | Team | Phone |\n| --- | --- | --- |\n| Ann | Sales | 12 |\n| Support |  |  |\n"
            "| Bob | Support |  |\n| Cem | Support | 7 |",
        )
    ]


def test_a_header_of_one_name_stays_the_header():
    assert read("Country", "DE | 5", "FR | 7") == [
        (TABLE, "| Country |  |\n| --- | --- |\n| DE | 5 |\n| FR | 7 |")
    ]


def test_years_may_be_the_names_of_columns_and_empty_columns_are_left_out():
    assert read("Costs", "| Item | | 2023 | 2024", "| Rent | | 5 | 6") == [
        (HEADING, "Costs"),
        (TABLE, "| Item | 2023 | 2024 |\n| --- | --- | --- |\n| Rent | 5 | 6 |"),
    ]


def test_a_list_in_one_column_is_a_table():
    assert read("Apples", "Pears") == [(TABLE, "| Apples |\n| --- |\n| Pears |")]
