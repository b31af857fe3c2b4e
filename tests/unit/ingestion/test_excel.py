"""Cells as a person would read them."""

import datetime
import io
import re
import zipfile
from xml.etree import ElementTree

import openpyxl
import pytest
import xlsxwriter

from retrieval.ingestion.blocks import ParsedDocument
from retrieval.ingestion.parsing import parse
from tests.unit.ingestion import samples


def read(rows: list[list[object]], title: str = "Rates") -> ParsedDocument:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    made = io.BytesIO()
    book.save(made)
    return parse(made.getvalue(), "a.xlsx")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (123456789.55, "123456789.55"),
        (98765432101.25, "98765432101.25"),
        (0.1 + 0.2, "0.3"),
        (1e16, "10000000000000000"),
        (0.0000001, "0.0000001"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_neither_rounded_nor_written_with_an_exponent(value, shown):
    (_, table) = read([["Amount"], [value]]).blocks
    assert table.text.split("\n")[-1] == f"| {shown} |"


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.15, "0%", "15%"),
        (0.0725, "0.00%", "7.25%"),
        (1, "0%", "100%"),
        (-0.07, "0%;[Red]-0%", "-7%"),
        (0.15, "General", "0.15"),
        ("15%", "0%", "15%"),
        (1234.5, '#,##0.00 "EUR"', "1234.5 EUR"),
        (40, "_-* #,##0.00 [$€-407]_-;-* #,##0.00 [$€-407]_-", "40 €"),
        (40, "#,##0.00\\ €", "40 €"),
        (40, '"$"#,##0', "40 $"),
        (40, "$#,##0", "40 $"),
        (40, "[$-409]#,##0", "40"),
        (40, "[$CHF] #,##0", "40 CHF"),
        (datetime.timedelta(hours=26, minutes=5), "[h]:mm", "26:05"),
    ],
)
def test_what_stands_in_the_format_is_told(value, form, shown):
    book = openpyxl.Workbook()
    book.active.append(["Rate"])
    book.active.append([value])
    book.active["A2"].number_format = form
    made = io.BytesIO()
    book.save(made)
    (_, table) = parse(made.getvalue(), "a.xlsx").blocks
    assert table.text.split("\n")[-1] == f"| {shown} |"


def test_a_row_is_read_as_wide_as_it_is():
    (_, table) = read([["a"], [], [None, "b"], ["", None, "c", None], [None] * 400]).blocks
    assert table.text.split("\n")[2:] == ["|  | b |  |", "|  |  | c |"]


def test_columns_that_are_left_out_are_noted():
    assert read([["name"] * 500]).warnings == ()
    document = read([["name"] * 501], "Wide")
    assert document.warnings == ("Only the first 500 columns were read of: Wide.",)
    assert document.blocks[1].text.split("\n")[0].count("name") == 500


def test_sheets_that_are_charts_are_passed_over():
    book = openpyxl.Workbook()
    book.create_chartsheet("Chart", 0)
    book.active = 1
    book.worksheets[0].append(["City", "Ulm"])
    made = io.BytesIO()
    book.save(made)
    assert [block.text.split("\n")[0] for block in parse(made.getvalue(), "a.xlsx").blocks] == [
        "Sheet",
        "| City | Ulm |",
    ]


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_hidden_sheets_are_left_out_and_noted(state):
    book = openpyxl.Workbook()
    book.active.append(["City", "Ulm"])
    book.create_sheet("Salaries").append(["Ann", 90_000])
    book["Salaries"].sheet_state = state
    made = io.BytesIO()
    book.save(made)
    document = parse(made.getvalue(), "a.xlsx")
    assert [block.text for block in document.blocks if "Ann" in block.text] == []
    assert document.warnings == ("Hidden sheets were left out: Salaries.",)


def test_notes_and_text_boxes_stand_behind_the_table_of_their_sheet():
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made)
    for name in ("Rates", "Help", "Plan"):
        sheet = book.add_worksheet(name)
        if name != "Help":
            sheet.write_row(0, 0, ["City", name])
            sheet.write_comment("B1", f"Only until {name}")
        else:
            sheet.insert_textbox(3, 3, "Fill in\nall rows")
    book.close()
    assert [block.text for block in parse(made.getvalue(), "a.xlsx").blocks] == [
        "Rates",
        "| City | Rates |\n| --- | --- |",
        "Note on B1: Only until Rates",
        "Help",
        "Fill in\nall rows",
        "Plan",
        "| City | Plan |\n| --- | --- |",
        "Note on B1: Only until Plan",
    ]


def test_formulas_whose_values_are_not_in_the_file_are_said_to_be_missing():
    assert read([["Total"], ["=SUM(B1:B9)"]]).warnings == (
        "The file does not hold the value of 1 formula: open it in Excel, save it, and replace it here.",
    )


def test_a_formula_with_a_value_is_not_missing():
    made = io.BytesIO()
    with xlsxwriter.Workbook(made) as book:
        sheet = book.add_worksheet()
        sheet.write_formula("A1", "=1+1", None, 2)
        sheet.write_formula("A2", '=IF(B1,"x","")', None, "x")
    assert parse(made.getvalue(), "a.xlsx").warnings == ()


def test_a_workbook_in_the_strict_variant_is_not_empty():
    book = openpyxl.Workbook()
    book.active.append(["City", "Per day"])
    book.active.append(["Bonn", 40])
    made = io.BytesIO()
    book.save(made)
    assert parse(samples.strict(made.getvalue()), "a.xlsx") == parse(made.getvalue(), "a.xlsx")


@pytest.mark.parametrize(
    "fault",
    ['<cellStyles><cellStyle xfId="0" gone="1"/></cellStyles>', "<fills><fill><stripes/></fill></fills>"],
)
def test_a_workbook_whose_styles_nobody_understands_is_read_with_its_dates(fault):
    book = openpyxl.Workbook()
    book.active.append(["Start", datetime.date(2026, 5, 1)])
    made = io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = ElementTree.fromstring(fault).tag
    styles = members["xl/styles.xml"].decode()
    members["xl/styles.xml"] = re.sub(rf"<{name}\b.*</{name}>", fault, styles).encode()
    assert parse(samples.zipped(members), "a.xlsx").blocks[-1].text == "| Start | 2026-05-01 |\n| --- | --- |"
