"""OpenDocument as LibreOffice writes it; most of it as one file of XML, which it writes and reads, too."""

import pytest

from retrieval.errors import DocumentTooLarge, DocumentUnsupported
from retrieval.ingestion.blocks import Limits, ParsedDocument
from retrieval.ingestion.parsing import DEFAULTS, parse

from . import samples

OASIS = "urn:oasis:names:tc:opendocument:xmlns"
NAMES = (
    f'xmlns:office="{OASIS}:office:1.0" xmlns:style="{OASIS}:style:1.0" xmlns:text="{OASIS}:text:1.0"'
    f' xmlns:table="{OASIS}:table:1.0" xmlns:draw="{OASIS}:drawing:1.0" xmlns:chart="{OASIS}:chart:1.0"'
    f' xmlns:svg="{OASIS}:svg-compatible:1.0" xmlns:presentation="{OASIS}:presentation:1.0"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:math="http://www.w3.org/1998/Math/MathML"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink"'
)


def flat(
    kind: str, body: str, styles: str = "", automatic: str = "", after: str = "", limits: Limits = DEFAULTS
) -> ParsedDocument:
    made = (
        f'<?xml version="1.0"?><office:document {NAMES}><office:styles>{styles}</office:styles>'
        f"<office:automatic-styles>{automatic}</office:automatic-styles>{after}"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    )
    return parse(made.encode(), "a.xml", limits)


def written(body: str, styles: str = "", automatic: str = "", after: str = "") -> list[str]:
    return [block.text for block in flat("text", body, styles, automatic, after).blocks]


def test_notes_and_comments_stand_after_their_paragraph():
    body = "<text:note-body><text:p>Since 2019.</text:p></text:note-body>"
    note = f"<text:note><text:note-citation>1</text:note-citation>{body}</text:note>"
    comment = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Ask Legal.</text:p></office:annotation>"
    assert written(f"<text:p>Leave{note} is 25 days{comment}.</text:p>") == [
        "Leave is 25 days.",
        "Since 2019.",
        "Ask Legal.",
    ]


def test_boxes_stand_beside_their_paragraph_and_without_their_description():
    box = (
        "<draw:frame><draw:text-box><text:p>Call 4711.</text:p></draw:text-box>"
        "<svg:desc>A yellow box</svg:desc></draw:frame>"
    )
    assert written(f"<text:p>{box}In an emergency:</text:p>") == ["In an emergency:", "Call 4711."]


def test_white_space_is_what_it_is_shown_as():
    text = "<text:p>one\n  two<text:s text:c='3'/>three<text:line-break/>four</text:p>"
    assert written(text) == ["one two three\nfour"]


def test_what_is_hidden_or_struck_out_is_left_out():
    styles = (
        '<style:style style:name="Base" style:family="text"><style:text-properties text:display="none"/>'
        "</style:style>"
    )
    own = '<style:style style:name="T1" style:family="text" style:parent-style-name="Base"/>'
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>Old.</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        '<text:p>Shown<text:span text:style-name="T1"> and not</text:span>.</text:p>'
        '<text:section text:display="none"><text:p>Nor this.</text:p></text:section>'
        "<text:p><text:ruby><text:ruby-base>漢字</text:ruby-base><text:ruby-text>かんじ</text:ruby-text>"
        "</text:ruby></text:p>"
    )
    assert written(body, styles, own) == ["Shown.", "漢字"]


def test_headings_have_the_numbers_of_the_outline():
    styles = (
        '<text:outline-style><text:outline-level-style text:level="1" style:num-format="1"/>'
        '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>'
        '<style:style style:name="Bare" style:family="paragraph" style:list-style-name=""/>'
    )
    body = (
        '<text:h text:outline-level="1">Scope</text:h><text:h text:outline-level="2">Staff</text:h>'
        '<text:h text:outline-level="1" text:style-name="Bare">Preface</text:h>'
        '<text:h text:outline-level="1">Leave</text:h><text:h text:outline-level="2">Sick</text:h>'
    )
    assert written(body, styles) == ["1 Scope", "1.1 Staff", "Preface", "2 Leave", "2.1 Sick"]


LISTS = (
    '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"'
    ' style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a"'
    ' style:num-suffix=")"/></text:list-style><text:list-style style:name="L2">'
    '<text:list-level-style-number text:level="1" style:num-format="1" style:num-list-format="§ %1%"/>'
    "</text:list-style>"
)


def test_items_have_the_numbers_of_their_list():
    inner = "<text:list><text:list-item><text:p>c</text:p><text:p>d</text:p></text:list-item></text:list>"
    body = (
        '<text:list text:style-name="L1"><text:list-item><text:p>a</text:p></text:list-item>'
        f"<text:list-item><text:p>b</text:p>{inner}</text:list-item></text:list>"
        '<text:list text:style-name="L2"><text:list-item><text:p>e</text:p></text:list-item></text:list>'
        '<text:list text:style-name="L1" text:continue-numbering="true"><text:list-item><text:p>f</text:p>'
        "</text:list-item></text:list>"
        "<text:list><text:list-item><text:p>g</text:p></text:list-item></text:list>"
    )
    expected = ["1. a", "2. b", "  a) c", "     d", "§ 1 e", "3. f", "- g"]
    assert written(body, automatic=LISTS) == expected


def test_the_title_is_the_paragraph_in_that_style():
    automatic = '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
    styles = '<style:style style:name="Title" style:family="paragraph"/>'
    body = '<text:p text:style-name="P1">Handbook</text:p><text:p>Text.</text:p>'
    assert flat("text", body, styles, automatic).title == "Handbook"


def test_headers_of_pages_come_last_and_once():
    page = (
        "<style:master-page><style:header><text:p>Acme internal</text:p></style:header></style:master-page>"
    )
    masters = f"<office:master-styles>{page}{page}</office:master-styles>"
    assert written("<text:p>Text.</text:p>", after=masters) == ["Text.", "Acme internal"]


def cell(text: str, more: str = "") -> str:
    return f"<table:table-cell {more}><text:p>{text}</text:p></table:table-cell>"


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def test_a_table_within_a_cell_is_read_once():
    inner = f"<table:table-cell><table:table>{row(cell('x'), cell('y'))}</table:table></table:table-cell>"
    heads = f"<table:table-header-rows>{row(cell('A'), cell('B'))}</table:table-header-rows>"
    assert written(f"<table:table>{heads}{row(cell('1'), inner)}</table:table>") == [
        "| A | B |\n| --- | --- |\n| 1 | x y |"
    ]


def test_a_formula_stands_in_its_sentence():
    formula = (
        "<draw:frame><draw:object><math:math><math:semantics><math:mi>E</math:mi><math:mo>=</math:mo>"
        "<math:mi>m</math:mi><math:annotation>E = m</math:annotation></math:semantics></math:math>"
        "</draw:object></draw:frame>"
    )
    assert written(f"<text:p>Here {formula} holds.</text:p>") == ["Here E=m holds."]


HIDDEN = (
    '<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/>'
    "</style:style>"
)


def test_sheets_are_read_as_they_are_shown():
    empty = '<table:table-cell table:number-columns-repeated="16380"/>'
    note = "<office:annotation><text:p>Agreed.</text:p></office:annotation>"
    noted = f"<table:table-cell>{note}<text:p>12.50 €</text:p></table:table-cell>"
    unshown = '<table:table-cell office:value-type="float" office:value="7"/>'
    gap = '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row>'
    body = (
        f'<table:table table:name="Rates">{row(cell("City"), cell("Rate"), empty)}{row(cell("Rome"), noted)}'
        f"{row(cell('Oslo'), unshown)}{gap}</table:table>"
        f'<table:table table:name="Pay" table:style-name="ta2">{row(cell("Secret"))}</table:table>'
    )
    read = flat("spreadsheet", body, automatic=HIDDEN)
    assert [block.text for block in read.blocks] == [
        "Rates",
        "| City | Rate |\n| --- | --- |\n| Rome | 12.50 € |\n| Oslo | 7 |",
        "Note on B2: Agreed.",
    ]
    assert read.warnings == ("Hidden sheets were left out: Pay.",)


def test_a_far_column_is_read_and_those_beyond_are_named():
    far = f'<table:table-cell table:number-columns-repeated="198"/>{cell("far")}'
    beyond = f'<table:table-cell table:number-columns-repeated="300"/>{cell("beyond")}'
    body = f'<table:table table:name="S">{row(cell("A"), far)}{row(cell("b"), far, beyond)}</table:table>'
    read = flat("spreadsheet", body)
    assert read.blocks[1].text == "| A | far |\n| --- | --- |\n| b | far |"
    assert read.warnings == ("Only the first 500 columns were read of: S.",)


def test_a_sheet_with_too_many_rows_says_so():
    body = f'<table:table table:name="S">{row(cell("x")) * 11}</table:table>'
    with pytest.raises(DocumentTooLarge, match="more than 10 rows"):
        flat("spreadsheet", body, limits=Limits(rows=10))


def shape(text: str, left: int, top: float, more: str = "") -> str:
    return (
        f'<draw:frame svg:x="{left}cm" svg:y="{top}cm" {more}><draw:text-box><text:p>{text}</text:p>'
        "</draw:text-box></draw:frame>"
    )


def test_slides_are_pages_with_a_heading_and_notes():
    notes = shape("Say hello.", 0, 0, 'presentation:class="notes"')
    slide = (
        "<draw:page>"
        + shape("Below", 1, 9)
        + shape("Right", 9, 3)
        + f"<draw:g>{shape('Left', 1, 3.1)}</draw:g>"
        + shape("Benefits", 1, 1, 'presentation:class="title"')
        + shape("Page 7", 9, 19, 'presentation:class="page-number"')
        + f"<presentation:notes>{notes}</presentation:notes></draw:page>"
    )
    read = flat("presentation", slide + "<draw:page/>")
    assert [(block.kind, block.page, block.text) for block in read.blocks] == [
        ("heading", 1, "Benefits"),
        ("text", 1, "Left"),
        ("text", 1, "Right"),
        ("text", 1, "Below"),
        ("text", 1, "Notes: Say hello."),
    ]
    assert (read.title, read.pages) == ("Benefits", 2)


def test_the_figures_of_a_chart_are_read():
    chart = (
        f"<office:document-content {NAMES}><office:body><office:chart><chart:chart><chart:title><text:p>Sales</text:p>"
        f"</chart:title><table:table>{row(cell(''), cell('2024'))}{row(cell('East'), cell('19'))}</table:table>"
        "</chart:chart></office:chart></office:body></office:document-content>"
    )
    slide = '<draw:frame><draw:object xlink:href="./Object 1"><text:p/></draw:object></draw:frame>'
    content = (
        f"<office:document-content {NAMES}><office:body><office:presentation><draw:page>{slide}</draw:page>"
        "</office:presentation></office:body></office:document-content>"
    )
    stated = "application/vnd.oasis.opendocument.presentation"
    data = samples.zipped({"mimetype": stated, "content.xml": content, "Object 1/content.xml": chart})
    assert [block.text for block in parse(data, "a").blocks] == [
        "Sales",
        "|  | 2024 |\n| --- | --- |\n| East | 19 |",
    ]


def test_a_flat_drawing_is_refused():
    with pytest.raises(DocumentUnsupported, match="Save it as PDF"):
        flat("drawing", "<text:p>x</text:p>")
