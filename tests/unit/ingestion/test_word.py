"""Word's tables, text boxes, content controls and formulas, as Word writes them."""

from retrieval.ingestion.blocks import HEADING, ITEM, TABLE, TEXT
from retrieval.ingestion.parsing import parse
from tests.unit.ingestion import samples

NAMES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
HEAD = '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>'


def blocks(body: str, **parts: str) -> list[tuple[str, str]]:
    """Of a document with such a body and, by their names, such other parts."""
    document = f"<w:document {NAMES}><w:body>{body}</w:body></w:document>"
    others = {f"word/{name}.xml": f"<w:{name} {NAMES}>{part}</w:{name}>" for name, part in parts.items()}
    read = parse(samples.zipped({"word/document.xml": document, **others}), "a.docx")
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


def test_notes_stand_under_the_heading_of_what_they_are_about():
    note = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    body = paragraph("Leave", HEAD) + paragraph("25 days", more=note) + paragraph("Pay", HEAD)
    footnotes = "".join(f'<w:footnote w:id="{n}">{paragraph(f"Note {n}.")}</w:footnote>' for n in (2, 3))
    assert blocks(body, footnotes=footnotes) == [
        (HEADING, "Leave"),
        (TEXT, "25 days"),
        (TEXT, "Note 2."),
        (HEADING, "Pay"),
        (TEXT, "Note 3."),
    ]


def test_hidden_text_and_the_table_of_contents_are_left_out():
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>Secret</w:t></w:r>"
    shown = '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> and more</w:t></w:r>'
    gallery = '<w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
    contents = f"<w:sdt>{gallery}<w:sdtContent>{paragraph('Leave 3')}</w:sdtContent></w:sdt>"
    old = paragraph("Pay 4", '<w:pPr><w:pStyle w:val="TOC1"/></w:pPr>')
    styles = '<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
    assert blocks(contents + old + paragraph("Text", more=hidden + shown), styles=styles) == [
        (TEXT, "Text and more")
    ]


def test_a_table_of_one_cell_is_a_frame():
    inside = f"<w:tc>{paragraph('Leave', HEAD)}{paragraph('25 days')}</w:tc>"
    assert blocks(f"<w:tbl>{row(inside)}</w:tbl>") == [(HEADING, "Leave"), (TEXT, "25 days")]


LEVELS = (
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
    '<w:lvl w:ilvl="2"><w:start w:val="3"/><w:numFmt w:val="lowerRoman"/><w:lvlText w:val="(%3)"/></w:lvl>'
)
NUMBERS = (
    f'<w:abstractNum w:abstractNumId="7">{LEVELS}</w:abstractNum>'
    '<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/>'
    '<w:lvlText w:val="•"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="7"/>'
    '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>'
)


def listed(text: str, number: int, level: int = 0, more: str = "") -> str:
    inside = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>{more}'
    return paragraph(text, f"<w:pPr>{inside}</w:pPr>")


def test_headings_and_clauses_have_the_numbers_that_word_shows():
    outline = '<w:outlineLvl w:val="0"/>'
    body = [
        listed("Leave", 1, 0, outline),
        listed("Annual", 1, 1),
        listed("Sick", 1, 1),
        listed("with a note", 1, 2),
        listed("without one", 1, 2),
        listed("Pay", 1, 0, outline),
        listed("Monthly", 1, 1),
        listed("By bank", 2),
        listed("Another list", 3),
        listed("No list", 0),
    ]
    assert blocks("".join(body), numbering=NUMBERS) == [
        (HEADING, "1. Leave"),
        (ITEM, "  1.1 Annual"),
        (ITEM, "  1.2 Sick"),
        (ITEM, "    (iii) with a note"),
        (ITEM, "    (iv) without one"),
        (HEADING, "2. Pay"),
        (ITEM, "  2.1 Monthly"),
        (ITEM, "- By bank"),
        (ITEM, "1. Another list"),
        (TEXT, "No list"),
    ]


def test_a_style_may_number_its_headings():
    styles = (
        '<w:style w:styleId="Base"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:styleId="H1"><w:name w:val="heading 1"/><w:basedOn w:val="Base"/></w:style>'
        '<w:style w:styleId="H2"><w:name w:val="heading 2"/><w:basedOn w:val="H1"/></w:style>'
    )
    heads = [
        paragraph(text, f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>')
        for text, style in [("A", "H1"), ("B", "H2"), ("C", "H2"), ("D", "H1"), ("E", "H2")]
    ]
    found = [text for _, text in blocks("".join(heads), numbering=NUMBERS, styles=styles)]
    assert found == ["1. A", "1.1 B", "1.2 C", "2. D", "2.1 E"]


def test_the_document_is_what_the_file_says_it_is():
    """Word on the web saves its parts under names of its own."""
    names = "http://schemas.openxmlformats.org/package/2006/relationships"
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    style = '<w:style w:styleId="a" w:type="paragraph"><w:name w:val="heading 1"/></w:style>'
    members = {
        "_rels/.rels": f'<Relationships xmlns="{names}"><Relationship Id="1" Type="{kinds}/officeDocument"'
        ' Target="/word/document2.xml"/></Relationships>',
        "word/_rels/document2.xml.rels": f'<Relationships xmlns="{names}"><Relationship Id="1" Type="{kinds}/styles"'
        ' Target="styles2.xml"/></Relationships>',
        "word/document2.xml": f"<w:document {NAMES}><w:body>"
        + paragraph("Leave", '<w:pPr><w:pStyle w:val="a"/></w:pPr>')
        + "</w:body></w:document>",
        "word/styles2.xml": f"<w:styles {NAMES}>{style}</w:styles>",
    }
    read = parse(samples.zipped(members), "a.docx")
    assert [(block.kind, block.text) for block in read.blocks] == [(HEADING, "Leave")]


def test_the_strict_variant_is_read_as_the_other():
    assert parse(samples.strict(samples.word()), "a.docx").blocks == parse(samples.word(), "a.docx").blocks
