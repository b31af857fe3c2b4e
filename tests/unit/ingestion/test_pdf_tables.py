"""Tables in PDFs: tagged by their writer, ruled, or only spaced."""

import pytest

from retrieval.ingestion.blocks import TABLE, TEXT
from retrieval.ingestion.parsing import parse

PRICES = [
    ("Plan", "Monthly price", "Seats"),
    ("Small", "10 EUR", "3"),
    ("Middle", "25 EUR", "12"),
    ("Large", "90 EUR", "50"),
]
LEFT = (60, 220, 380, 500)
TOP = 700
ROW = 20


def document(*contents: str, objects: tuple[str, ...] = (), catalogue: str = "", page: str = "") -> bytes:
    """Pages with these streams. Numbers of objects: 1 catalogue, 2 pages, 3 font, then `objects`, then each page with
    its content."""
    first = 4 + len(objects)
    shown = [
        part
        for place, content in enumerate(contents)
        for part in (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {first + 2 * place + 1} 0 R"
            f" /Resources << /Font << /F1 3 0 R >> >> {page} >>",
            f"<< /Length {len(content)} >> stream\n{content}\nendstream",
        )
    ]
    kids = " ".join(f"{first + 2 * place} 0 R" for place in range(len(contents)))
    written = [
        f"<< /Type /Catalog /Pages 2 0 R {catalogue} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        *objects,
        *shown,
    ]
    body = "".join(f"{number} 0 obj {one} endobj\n" for number, one in enumerate(written, 1))
    return f"%PDF-1.7\n{body}trailer << /Root 1 0 R >>".encode("latin-1")


def text(x: float, y: float, words: str, size: int = 10) -> str:
    return f"BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm ({words}) Tj ET\n"


def typed(rows: list[tuple[str, ...]], top: int = TOP) -> str:
    return "".join(
        text(x, top - ROW * place, cell)
        for place, row in enumerate(rows)
        for x, cell in zip(LEFT, row, strict=False)
        if cell
    )


def rules(rows: int, top: int = TOP + 14, down: tuple[int, ...] = (55, 215, 375, 495)) -> str:
    foot = top - ROW * rows
    across = "".join(
        f"{down[0]} {top - ROW * row} m {down[-1]} {top - ROW * row} l S\n" for row in range(rows + 1)
    )
    return across + "".join(f"{x} {top} m {x} {foot} l S\n" for x in down)


def blocks(data: bytes) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse(data, "a.pdf").blocks]


def tables(data: bytes) -> list[tuple[int | None, list[list[str]]]]:
    """The pages and rows of the tables, and without the line below the header."""
    return [
        (
            block.page,
            [
                [cell.strip() for cell in line.strip("|").split("|")]
                for place, line in enumerate(block.text.splitlines())
                if place != 1
            ],
        )
        for block in parse(data, "a.pdf").blocks
        if block.kind == TABLE
    ]


def as_lists(rows: list[tuple[str, ...]]) -> list[list[str]]:
    return [list(row) for row in rows]


def test_a_ruled_table_has_its_cells_and_stands_where_it_was():
    before, after = "These are the prices of the year.", "They are without tax."
    page = text(60, 750, before) + typed(PRICES) + rules(len(PRICES)) + text(60, 580, after)
    found = blocks(document(page))
    assert [kind for kind, _ in found] == ["text", "table", "text"]
    assert (found[0][1], found[2][1]) == (before, after)
    assert tables(document(page)) == [(1, as_lists(PRICES))]


def test_words_of_a_cell_that_goes_over_two_lines_stay_together():
    page = text(60, 700, "Plan") + text(220, 700, "What it is for")
    page += text(60, 670, "Small") + text(220, 678, "Offices of one town,") + text(220, 666, "and schools")
    lines = "".join(f"55 {y} m 495 {y} l S\n" for y in (714, 692, 660))
    page += lines + "".join(f"{x} 714 m {x} 660 l S\n" for x in (55, 215, 495))
    assert tables(document(page)) == [
        (1, [["Plan", "What it is for"], ["Small", "Offices of one town, and schools"]])
    ]


def test_a_cell_over_several_columns_is_one():
    rows = [("Plan", "Price", "Seats"), ("Small", "on demand", ""), ("Large", "90 EUR", "50")]
    page = typed(rows) + rules(3, down=(55, 215, 495))
    page += "375 714 m 375 694 l S\n375 674 m 375 654 l S\n"
    page = page.replace(text(220, 680, "on demand"), text(330, 680, "on demand for all"))
    assert tables(document(page)) == [
        (1, [["Plan", "Price", "Seats"], ["Small", "on demand for all", ""], ["Large", "90 EUR", "50"]])
    ]


def test_a_frame_around_text_in_columns_is_no_table():
    page = "".join(
        text(60, 700 - 14 * row, f"Part {row}") + text(160, 700 - 14 * row, f"{row} hours")
        for row in range(6)
    )
    page += text(400, 700, "Paid by card") + text(60, 600, "Sum") + text(400, 600, "270 EUR")
    page += "".join(f"55 {y} m 495 {y} l S\n" for y in (714, 615, 590))
    page += "".join(f"{x} 714 m {x} 590 l S\n" for x in (55, 375, 495))
    found = "\n".join(cell for _, cell in blocks(document(page)))
    assert "| Part 1 | 1 hours |" in found
    assert "Part 0 0 hours Part 1" not in found


def test_a_table_without_rules_keeps_empty_places():
    rows = [("Item", "Expected", "Found"), ("A-12", "450", ""), ("B-07", "", "289"), ("C-15", "780", "778")]
    assert tables(document(typed(rows))) == [(1, as_lists(rows))]


def test_figures_at_the_right_of_a_column_stand_under_its_head_at_the_left():
    rows = [("Item", "Size", "Price", "Stock"), ("Crate", "S", "12.50", ""), ("Strap", "", "3.20", "120")]
    rows += [("Pallet", "L", "22.00", "9")]
    left, right = (60, 160, 260, 400), (60, 160, 320, 460)
    page = "".join(
        text(x, TOP - ROW * place, cell)
        for place, row in enumerate(rows)
        for x, cell in zip(right if place else left, row, strict=True)
        if cell
    )
    assert tables(document(page)) == [(1, as_lists(rows))]


def test_a_title_above_a_table_without_rules_is_not_in_it():
    page = text(60, 718, "ALL OUR SUMMER HOME PROGRAMMES NOW", size=14) + typed(PRICES)
    assert blocks(document(page))[0] == ("heading", "ALL OUR SUMMER HOME PROGRAMMES NOW")
    assert tables(document(page)) == [(1, as_lists(PRICES))]


def test_rows_between_lines_down_alone_stay_rows():
    rows = [("Pos", "What", "Price"), *((f"No. {n}", f"Chair {n}", f"{n}0 EUR") for n in range(1, 6))]
    lines = across(714, 694, 590) + "".join(f"{x} 714 m {x} 590 l S\n" for x in (55, 215, 375, 495))
    assert tables(document(typed(rows) + lines)) == [(1, as_lists(rows))]


def across(*heights: int) -> str:
    return "".join(f"55 {y} m 495 {y} l S\n" for y in heights)


def test_lines_between_rows_alone_part_rows_whose_cells_go_over_two_lines():
    page = (
        text(60, 700, "Level")
        + text(220, 706, "First response")
        + text(220, 694, "time")
        + text(380, 700, "Who")
    )
    for place, wide in enumerate(["All is down for", "One is slow for"]):
        top = 670 - 30 * place
        page += text(60, top, f"S{place}") + text(220, top + 6, wide) + text(220, top - 6, "a whole region")
        page += text(380, top, "On call")
    prose = text(
        55, 740, "The table says how soon somebody looks into what does not work, and who it is then."
    )
    wanted = [
        ["Level", "First response time", "Who"],
        ["S0", "All is down for a whole region", "On call"],
        ["S1", "One is slow for a whole region", "On call"],
    ]
    assert tables(document(prose + page + across(688, 656, 626))) == [(1, wanted)]
    assert tables(document(prose + page + across(718, 688, 656, 626))) == [(1, wanted)]


def test_three_lines_part_a_header_from_rows_and_these_by_what_stands_first():
    page = text(60, 700, "Plan") + text(220, 700, "What it is for")
    page += text(60, 675, "Small") + text(220, 675, "Offices of one town,") + text(220, 663, "and schools")
    page += text(60, 645, "Large") + text(220, 645, "All others")
    wanted = [
        ["Plan", "What it is for"],
        ["Small", "Offices of one town, and schools"],
        ["Large", "All others"],
    ]
    assert tables(document(page + across(714, 690, 635))) == [(1, wanted)]


def test_paragraphs_between_lines_are_no_table():
    prose = "Hotels cost 140 EUR at most in every city of the land, and trains are booked in second class."
    page = "".join(text(60, 700 - 30 * place, prose) for place in range(3)) + across(715, 685, 655, 625)
    assert tables(document(page)) == []


@pytest.mark.parametrize(
    "point", [lambda row: "-", lambda row: f"{row}.", lambda row: str(row)], ids=["dash", "number", "line"]
)
def test_a_list_is_no_table(point):
    page = "".join(
        text(60, 700 - 14 * row, point(row)) + text(90, 700 - 14 * row, f"Rule {row} holds")
        for row in range(1, 6)
    )
    assert tables(document(page)) == []


def test_a_table_that_goes_on_has_its_header_on_each_page():
    more = [(f"Plan {place}", f"{place} EUR", f"{place}") for place in range(3)]
    first = text(60, 750, "These are the prices of the year.") + typed(PRICES) + rules(len(PRICES))
    second = typed(more) + rules(len(more)) + text(60, 500, "They are without tax.")
    assert tables(document(first, second)) == [(1, as_lists(PRICES)), (2, as_lists([PRICES[0], *more]))]
    again = typed([PRICES[0], *more]) + rules(len(more) + 1)
    assert tables(document(first, again)) == [(1, as_lists(PRICES)), (2, as_lists([PRICES[0], *more]))]


def test_a_header_of_two_rows_goes_on_as_one():
    head = [("Weight", "Express", "", "Standard"), ("", "up to 5 kg", "more", "all")]
    of_both = ["Weight", "Express, up to 5 kg", "Express, more", "Standard, all"]
    towns = [("Bonn", "10", "20", "5"), ("Mainz", "11", "21", "6")]
    others = [("Trier", "12", "22", "7"), ("Ulm", "13", "23", "8")]
    down = (55, 215, 375, 495, 590)
    first = text(60, 750, "What a parcel costs.") + typed(head + towns) + rules(4, down=down)
    for second in (typed(others) + rules(2, down=down), typed(head + others) + rules(4, down=down)):
        found = tables(document(first, second))
        assert found == [(1, [of_both, *as_lists(towns)]), (2, [of_both, *as_lists(others)])]


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("count", [2, 5])
def test_a_table_goes_on_between_headers_and_footers(drawn, count):
    pages = []
    for page in range(1, count + 1):
        rows = [(f"Plan {page}{row}", f"{page}{row} EUR", str(row)) for row in range(4)]
        shown = [PRICES[0], *rows] if page == 1 else rows
        pages.append(
            text(60, 780, "Hansa Works")
            + text(60, 765, "Prices of the year")
            + typed(shown)
            + (rules(len(shown)) if drawn else "")
            + text(60, 60, "For our own staff")
            + text(60, 45, f"Page {page} of {count}")
        )
    found = tables(document(*pages))
    assert [rows[0] for _, rows in found] == [list(PRICES[0])] * count
    if count > 2:  # of two pages nobody can tell
        assert blocks(document(*pages))[count:] == [
            (TEXT, words) for words in ("Hansa Works", "Prices of the year", "For our own staff")
        ]


def test_another_table_at_the_top_of_the_next_page_keeps_its_own_header():
    others = [("City", "People", "Rivers"), ("Bonn", "330,000", "1"), ("Mainz", "220,000", "2")]
    first = text(60, 750, "These are the prices of the year.") + typed(PRICES) + rules(len(PRICES))
    second = typed(others) + rules(len(others))
    assert tables(document(first, second)) == [(1, as_lists(PRICES)), (2, as_lists(others))]


def test_pages_of_the_same_form_keep_their_tables():
    rooms = [
        [("Room", "Guests", "A night"), ("Single", str(10 + month), f"{70 + month} EUR")]
        for month in range(6)
    ]
    pages = [text(60, 750, "The rooms of this month.") + typed(rows) + rules(2) for rows in rooms]
    assert tables(document(*pages)) == [(page, as_lists(rows)) for page, rows in enumerate(rooms, 1)]


def test_a_table_with_the_number_of_the_page_at_its_top_is_told_once():
    heads = [[("Rules of the house", f"Page {page} of 5"), ("Of May 1", "Nr. 20-11")] for page in range(1, 6)]
    towns = ("Bonn", "Mainz", "Trier", "Essen", "Ulm")
    pages = [
        typed(head, 760) + rules(2, 774, (55, 215, 375)) + text(60, 600, f"Our house in {town} has a garden.")
        for head, town in zip(heads, towns, strict=True)
    ]
    *texts, (kind, head) = blocks(document(*pages))
    assert [words for _, words in texts] == [f"Our house in {town} has a garden." for town in towns]
    assert (kind, head.splitlines()[2]) == (TABLE, "| Of May 1 | Nr. 20-11 |")


def test_a_long_table_at_the_foot_of_each_page_is_told_once():
    signs = [("Sign", "Meaning"), ("A", "absent"), ("F", "on a free day"), ("H", "at home")]
    foot = typed(signs, 300) + rules(len(signs), 314, (55, 215, 375))
    pages = [
        text(60, 600, f"In {month} all were here.") + foot for month in ("May", "June", "July", "August")
    ]
    assert tables(document(*pages)) == [(1, as_lists(signs))]


def tagged(rows: list[list[tuple[str, str, str]]], places: dict[str, tuple[int, int]]) -> bytes:
    """A table tagged as one: each cell's tag, attributes and text; `places` of the texts. Objects from 4 on: the tree,
    the table, its parents, the rows and then the cells."""
    cells = [cell for row in rows for cell in row]
    first_row, first_cell = 7, 7 + len(rows)
    page = first_cell + len(cells)
    content, elements, number = "", [], 0
    rows_of: list[str] = []
    for place, row in enumerate(rows):
        own = " ".join(f"{first_cell + number + at} 0 R" for at in range(len(row)))
        rows_of.append(f"<< /Type /StructElem /S /TR /P 5 0 R /Pg {page} 0 R /K [{own}] >>")
        for tag, attributes, words in row:
            over = f"/A << /O /Table {attributes} >>" if attributes else ""
            elements.append(
                f"<< /Type /StructElem /S /{tag} /P {first_row + place} 0 R /Pg {page} 0 R {over} /K {number} >>"
            )
            content += f"/{tag} << /MCID {number} >> BDC {text(*places[words], words)} EMC\n"
            number += 1
    parents = " ".join(f"{first_cell + at} 0 R" for at in range(len(cells)))
    kids = " ".join(f"{first_row + at} 0 R" for at in range(len(rows)))
    return document(
        content,
        objects=(
            "<< /Type /StructTreeRoot /K 5 0 R /ParentTree 6 0 R >>",
            f"<< /Type /StructElem /S /Table /P 4 0 R /K [{kids}] >>",
            f"<< /Nums [0 [{parents}]] >>",
            *rows_of,
            *elements,
        ),
        catalogue="/StructTreeRoot 4 0 R /MarkInfo << /Marked true >>",
        page="/StructParents 0",
    )


def test_a_tagged_table_has_its_cells_wherever_they_are_drawn():
    rows = [
        [("TH", "/RowSpan 2", "City"), ("TH", "/ColSpan 2", "A night")],
        [("TD", "", "Weekday"), ("TD", "", "Sunday")],
        [("TD", "", "Bonn"), ("TD", "", "90 EUR"), ("TD", "", "70 EUR")],
    ]
    places = {
        "City": (60, 690),
        "A night": (150, 700),
        "Weekday": (130, 680),
        "Sunday": (180, 680),
        "Bonn": (60, 660),
        "90 EUR": (131, 652),
        "70 EUR": (182, 652),
    }
    assert tables(tagged(rows, places)) == [
        (1, [["City", "A night, Weekday", "A night, Sunday"], ["Bonn", "90 EUR", "70 EUR"]])
    ]


def test_a_cell_over_more_columns_than_can_be_counted_is_read():
    rows = [
        [("TH", "", "City"), ("TH", f"/ColSpan {'9' * 60}.0", "A night")],
        [("TD", "", "Bonn"), ("TD", "", "90 EUR")],
    ]
    places = {"City": (60, 690), "A night": (150, 690), "Bonn": (60, 660), "90 EUR": (150, 660)}
    assert tables(tagged(rows, places)) == [(1, [["City", "A night"], ["Bonn", "90 EUR"]])]


def test_cells_of_a_tagged_row_without_its_empty_ones_stay_in_their_columns():
    rows = [
        [("TH", "", "Country"), ("TH", "", "Annual leave"), ("TH", "", "Sick leave"), ("TH", "", "Unpaid")],
        [("TD", "", "Norway"), ("TD", "", "25 days"), ("TD", "", "12 days"), ("TD", "", "30 days")],
        [("TD", "", "Portugal"), ("TD", "", "14 days")],
        [("TD", "", "of these"), ("TD", "", "5 days")],
        [("TD", "", "All others"), ("TD", "/ColSpan 3", "as the law of the land has it")],
    ]
    columns = {"Country": 60, "Annual leave": 160, "Sick leave": 300, "Unpaid": 400}
    places = {name: (x, 700) for name, x in columns.items()}
    places |= {"Norway": (60, 680), "25 days": (180, 680), "12 days": (320, 680), "30 days": (402, 680)}
    places |= {"Portugal": (60, 660), "14 days": (320, 660), "of these": (60, 640), "5 days": (420, 640)}
    places |= {"All others": (60, 620), "as the law of the land has it": (200, 620)}
    assert tables(tagged(rows, places)) == [
        (
            1,
            [
                list(columns),
                ["Norway", "25 days", "12 days", "30 days"],
                ["Portugal", "", "14 days", ""],
                ["of these", "", "", "5 days"],
                ["All others", "as the law of the land has it", "", ""],
            ],
        )
    ]
