"""Word's tables, text boxes, content controls and formulas, as Word writes them."""

from retrieval.ingestion.blocks import HEADING, TABLE, TEXT
from retrieval.ingestion.parsing import parse
from tests.unit.ingestion import samples

NAMES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
HEAD = '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>'


def blocks(body: str) -> list[tuple[str, str]]:
    document = f"<w:document {NAMES}><w:body>{body}</w:body></w:document>"
    read = parse(samples.zipped({"word/document.xml": document}), "a.docx")
    return [(block.kind, block.text) for block in read.blocks]


def run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def paragraph(text: str, properties: str = "", more: str = "") -> str:
    return f"<w:p>{properties}{run(text)}{more}</w:p>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr>{properties}{''.join(cells)}</w:tr>"


def cell(text: str, columns: int = 1) -> str:
    return f'<w:tc><w:tcPr><w:gridSpan w:val="{columns}"/></w:tcPr>{paragraph(text)}</w:tc>'


def controlled(body: str) -> str:
    return f"<w:sdt><w:sdtContent>{body}</w:sdtContent></w:sdt>"


def table(*rows: str) -> list[str]:
    ((kind, text),) = blocks(f"<w:tbl>{''.join(rows)}</w:tbl>")
    assert kind == TABLE
    return text.split("\n")[2:]


HEADER = row(cell("Grade"), cell("Year"), cell("Pay"))


def test_a_cell_over_two_columns_leaves_the_others_under_their_headings():
    before = '<w:trPr><w:gridBefore w:val="1"/></w:trPr>'
    rows = table(HEADER, row(cell("All", 2), cell("10")), row(cell("2024"), cell("20"), properties=before))
    assert rows == ["| All |  | 10 |", "|  | 2024 | 20 |"]


def test_rows_and_cells_in_content_controls_are_read():
    repeated = controlled(row(cell("A"), controlled(cell("2024")), cell("10")))
    inserted = f"<w:ins>{row(cell('B'), cell('2025'), cell('20'))}</w:ins>"
    assert table(HEADER, repeated, inserted) == ["| A | 2024 | 10 |", "| B | 2025 | 20 |"]


def test_a_row_that_was_deleted_is_left_out():
    deleted = "<w:trPr><w:del/></w:trPr>"
    assert table(HEADER, row(cell("A"), properties=deleted), row(cell("B"))) == ["| B |  |  |"]


def test_a_box_on_a_heading_is_no_part_of_it():
    def box(text: str) -> str:
        return f"<w:txbxContent>{paragraph(text, HEAD)}{paragraph('Ask early.')}</w:txbxContent>"

    shown = f"<mc:Choice>{box('Hint')}</mc:Choice><mc:Fallback>{box('Hint')}</mc:Fallback>"
    drawn = f"<w:r><mc:AlternateContent>{shown}</mc:AlternateContent></w:r>"
    assert blocks(paragraph("Leave", HEAD, drawn)) == [
        (HEADING, "Leave"),
        (TEXT, "Hint"),
        (TEXT, "Ask early."),
    ]


def test_formulas_and_paragraphs_that_were_moved_here_are_read():
    formula = "<m:oMath><m:r><m:t>E=mc</m:t></m:r></m:oMath>"
    moved = f"<w:moveFrom>{paragraph('Old')}</w:moveFrom><w:moveTo>{paragraph('New')}</w:moveTo>"
    assert blocks(paragraph("So ", more=formula) + moved) == [(TEXT, "So E=mc"), (TEXT, "New")]
