"""What each format gives: text in order, its structure, and a reason where it cannot be read."""

import pypdfium2
import pytest

from retrieval.errors import (
    DocumentDamaged,
    DocumentEmpty,
    DocumentEncrypted,
    DocumentTooLarge,
    DocumentUnsupported,
)
from retrieval.ingestion.blocks import CODE, HEADING, ITEM, TABLE, TEXT, Limits
from retrieval.ingestion.parsing import ocr, parse
from tests.unit.ingestion import samples


def kinds(data: bytes, name: str = "file") -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse(data, name).blocks]


def words(data: bytes, name: str = "file") -> str:
    return "\n".join(block.text for block in parse(data, name).blocks)


def test_word_gives_headings_paragraphs_lists_tables_and_the_page_header():
    assert kinds(samples.word()) == [
        (HEADING, "Hotels"),
        (TEXT, "A night costs 140 EUR at most."),
        (ITEM, "- Book early"),
        (TABLE, "| Grade | Limit |\n| --- | --- |\n| Manager | 160 EUR |"),
        (TEXT, "Confidential: Contoso"),
    ]


def test_word_is_named_by_its_properties():
    assert parse(samples.word(), "x").title == "Travel policy"


def test_slides_are_pages_with_their_titles_and_notes():
    document = parse(samples.slides(), "x")
    assert document.pages == 2
    assert [(block.page, block.text) for block in document.blocks] == [
        (1, "Benefits"),
        (1, "Dental care is covered."),
        (2, "Leave"),
        (2, "You get 25 days."),
        (2, "Notes: Part-timers get a share."),
    ]


def test_a_sheet_is_a_heading_and_a_table():
    (heading, table) = parse(samples.workbook(2), "x").blocks
    assert heading.text == "Rates"
    assert table.text.split("\n") == [
        "| City | Per day |",
        "| --- | --- |",
        "| City 0 | 40 |",
        "| City 1 | 40.5 |",
    ]


def test_a_workbook_with_too_many_rows_says_so():
    with pytest.raises(DocumentTooLarge, match="more than 10 rows"):
        parse(samples.workbook(50), "x", Limits(rows=10))


def test_a_book_is_read_in_the_order_of_its_spine():
    document = parse(samples.book(), "x")
    assert document.title == "The guide"
    assert [block.text for block in document.blocks] == ["First", "Begin here.", "Second", "End here."]


def encrypting(part: str) -> bytes:
    """The book, of which this part is said to be encrypted."""
    return samples.book(
        {
            "META-INF/encryption.xml": '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><CipherData>'
            f'<CipherReference URI="{part}"/></CipherData></EncryptedData></encryption>'
        }
    )


def test_a_book_whose_fonts_alone_are_encrypted_is_read():
    assert parse(encrypting("b/fonts/Open%20Sans.ttf"), "x").title == "The guide"


def test_a_book_whose_chapters_are_encrypted_is_refused():
    with pytest.raises(DocumentEncrypted, match="protected against copying"):
        parse(encrypting("b/two.xhtml"), "x")


@pytest.mark.parametrize("kind", ["text", "text-template"])
def test_an_opendocument_text_is_read_also_as_a_template(kind):
    content = (
        '<o:document-content xmlns:o="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:t="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
        "<o:body><o:text><t:p>Dear Ann</t:p></o:text></o:body></o:document-content>"
    )
    stated = f"application/vnd.oasis.opendocument.{kind}"
    assert words(samples.zipped({"mimetype": stated, "content.xml": content})) == "Dear Ann"


def test_a_drawing_is_no_archive():
    stated = "application/vnd.oasis.opendocument.graphics"
    with pytest.raises(DocumentUnsupported, match="Save it as PDF"):
        parse(samples.zipped({"mimetype": stated, "content.xml": "<x/>"}), "x")


def test_pdf_lines_become_paragraphs_with_pages():
    document = parse(
        samples.pdf([["The first line of a text that goes on and", "ends here."], ["Page two."]]), "x"
    )
    assert [(b.page, b.text) for b in document.blocks] == [
        (1, "The first line of a text that goes on and ends here."),
        (2, "Page two."),
    ]


def test_large_lines_of_a_pdf_are_headings():
    blocks = parse(samples.pdf([["# Leave", "You get 25 days a year, and more of them later."]]), "x").blocks
    assert [(b.kind, b.text) for b in blocks] == [
        (HEADING, "Leave"),
        (TEXT, "You get 25 days a year, and more of them later."),
    ]


def test_headers_and_footers_that_repeat_are_told_once():
    pages = [
        ["Contoso - confidential", f"This is the text number {n} of all.", f"Page {n} of 6"]
        for n in range(1, 7)
    ]
    found = words(samples.pdf(pages))
    assert found.count("Contoso - confidential") == 1
    assert "Page" not in found
    assert "text number 6" in found


def test_a_header_that_the_text_says_as_well_is_dropped():
    pages = [["Travel policy", f"Part {n} of our travel policy.", "And so on.", "The end."] for n in range(6)]
    assert "Travel policy" not in words(samples.pdf(pages))


def test_a_title_on_the_cover_is_no_header_of_the_pages_after_it():
    pages = [["Travel policy", f"This is page {n}.", "And so on.", "The end."] for n in range(6)]
    blocks = parse(samples.pdf([["# Travel policy", "Issued in May."], *pages]), "x").blocks
    assert [(block.kind, block.text) for block in blocks if "policy" in block.text] == [
        (HEADING, "Travel policy")
    ]


@pytest.mark.parametrize("head", ["{name} {number}", "{number} {name}", "{name} {number} / 12"])
def test_running_heads_that_bear_the_number_of_their_page_are_dropped(head):
    """Each chapter has its own, on fewer than half of the pages."""
    names = [name for name in ("On leave", "On travel", "On pay") for _ in range(3)]
    pages = [
        [head.format(name=name, number=n + 4), f"This is what page {n} says of it.", "And so on.", "The end."]
        for n, name in enumerate(names)
    ]
    found = words(samples.pdf(pages))
    assert "This is what page 8 says of it." in found
    assert "On " not in found


def test_a_line_that_ends_with_the_number_of_its_page_by_chance_is_kept():
    pages = [[f"{'abcdefghi'[n]} says of it: {n + 4}", "And all of it holds.", f"{n + 4}"] for n in range(9)]
    assert "i says of it: 12" in words(samples.pdf(pages))


def test_a_word_broken_at_the_end_of_a_line_is_mended():
    lines = [
        "All employees take part in the environ-",
        "ment programme of the company at all",
        "times and in all",
    ] * 3
    assert "environment programme" in words(samples.pdf([lines]))


def test_a_pdf_without_text_says_that_it_may_be_scanned():
    with pytest.raises(DocumentEmpty, match=r"scanned\?.*text recognition"):
        parse(samples.pdf([[], []]), "x")


def test_pages_without_text_among_others_are_noted():
    assert "1 of 2 pages" in parse(samples.pdf([["Some text."], []]), "x").warnings[0]


recognised = pytest.mark.skipif(not ocr.available(), reason="tesseract is not installed")


@recognised
def test_the_text_of_scanned_pages_is_recognised():
    parsed = parse(samples.scan([["Annual leave is 25 days a year."], []]), "x")
    assert [(block.text, block.page) for block in parsed.blocks] == [("Annual leave is 25 days a year.", 1)]
    assert parsed.warnings[0].startswith("1 of 2 pages are scans")
    assert parsed.warnings[1].startswith("1 of 2 pages have no text")


@recognised
def test_scans_that_there_is_no_time_for_are_counted():
    clock = iter([0.0, 0.0, 61.0])
    with pypdfium2.PdfDocument(samples.scan([["The first page."], ["The second page."]])) as document:
        read = ocr.recognise(document, [1, 2], seconds=60, languages="", clock=lambda: next(clock))
    assert (list(read.lines), read.unread) == ([1], [2])
    assert "no time for 1 more" in read.note(2)


@recognised
def test_a_page_that_was_cut_short_counts_as_not_read():
    with pypdfium2.PdfDocument(samples.scan([["The first page."]])) as document:
        assert ocr.recognise(document, [1], seconds=0.001, languages="") == ocr.Recognised({}, [1])


@recognised
def test_a_language_that_is_not_installed_is_left_out():
    scan = samples.scan([["Annual leave is 25 days a year."]])
    assert "25 days" in parse(scan, "x", Limits(ocr_languages="xyz+eng")).blocks[0].text


@recognised
def test_pages_that_show_nothing_are_not_looked_at():
    with pypdfium2.PdfDocument(samples.pdf([[], []])) as document:
        assert ocr.recognise(document, [1, 2], seconds=0, languages="") == ocr.Recognised({}, [])


def test_a_pdf_with_too_many_pages_says_so():
    with pytest.raises(DocumentTooLarge, match="5 pages, over the limit of 4"):
        parse(samples.pdf([["x"]] * 5), "x", Limits(pages=4))


def test_markdown_gives_structure_and_its_title():
    source = b"---\ntitle: Leave\n---\n# Days\nYou get **25** [days](x).\n\n- one\n  - two\n\n"
    source += b"```\nrun()\n```\n\n|a|b|\n|-|-|\n|1|2|\n"
    document = parse(source, "leave.md")
    assert document.title == "Leave"
    assert [(b.kind, b.text) for b in document.blocks] == [
        (HEADING, "Days"),
        (TEXT, "You get 25 days."),
        (ITEM, "- one"),
        (ITEM, "  - two"),
        (CODE, "run()"),
        (TABLE, "| a | b |\n| --- | --- |\n| 1 | 2 |"),
    ]


def test_templates_in_markdown_are_left_out():
    assert words(b"# Hi\n<%= secret %>\nText <% if x %>here<% end %>.", "page.md.erb") == "Hi\nText here."


def test_html_gives_what_a_reader_sees():
    page = b"""<html><head><title>Leave - Contoso</title><style>p{}</style></head><body><nav>Home</nav>
    <script>alert(1)</script><main><h1>Leave</h1><p>You get <b>25</b> days.</p><p hidden>no</p>
    <p style="display: none">no</p><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
    </main><footer>Imprint</footer></body></html>"""
    document = parse(page, "x")
    assert document.title == "Leave - Contoso"
    assert [block.text for block in document.blocks] == [
        "Leave",
        "You get 25 days.",
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
    ]


def test_the_content_decides_and_not_the_name():
    assert words(b"<html><body><p>Not a PDF.</p></body></html>", "x.pdf") == "Not a PDF."


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_keeps_its_header(delimiter):
    rows = [["City", "Per day"], ["Rome", "40"], ["Oslo", "55"]]
    (table,) = parse("\n".join(map(delimiter.join, rows)).encode(), "rates.csv").blocks
    assert (table.kind, table.header) == (TABLE, 2)
    assert table.text.split("\n")[0] == "| City | Per day |"


def test_text_has_paragraphs_items_and_headings():
    source = (
        b"ANNUAL LEAVE\n\nYou get 25 days.\nAsk early.\n\n- one\n- two\n\nSick leave\n----------\nCall us.\n"
    )
    assert kinds(source, "a.txt") == [
        (HEADING, "ANNUAL LEAVE"),
        (TEXT, "You get 25 days.\nAsk early."),
        (ITEM, "- one"),
        (ITEM, "- two"),
        (HEADING, "Sick leave"),
        (TEXT, "Call us."),
    ]


RUSSIAN = (
    "Отпуск составляет двадцать пять рабочих дней в году. Заявление подаётся за две недели до его начала."
)
SPANISH = (
    "El año pasado la compañía cambió su política: cada empleado tendrá 25 días hábiles, según la región."
)
POLISH = (
    "Wniosek o urlop należy złożyć dwa tygodnie wcześniej; każdy pracownik ma dwadzieścia sześć dni w roku."
)
GERMAN = "Die Kündigungsfrist beträgt für alle Beschäftigten grundsätzlich vier Wochen zum Monatsende."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "cp1252"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        (SPANISH, "cp1252"),
        (SPANISH, "mac_roman"),
        (SPANISH, "cp850"),
        (f"{SPANISH} Cuesta 45 €.", "iso8859_15"),
        ("L’œuf d’une poule élevée ici coûte 0,40 € à la caisse.", "cp1252"),
        ("It’s “fine” – don’t worry about the travel policy of last year, which isn’t in force.", "cp1252"),
        ("Terms and conditions © Hansa Works", "cp1252"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859_2"),
        (
            "A szabadság évente huszonöt munkanap, a kérelmet két héttel előbb kell benyújtani a főnöknél.",
            "cp1250",
        ),
        ("Her çalışanın yılda yirmi beş gün izni vardır; başvuru iki hafta önce yapılır.", "cp1254"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN, "utf-16-be"),
        ("人事部の休暇規程により、年次有給休暇は二十五日です。", "cp932"),
        ("人事部の休暇規程により、年次有給休暇は二十五日です。", "iso2022_jp"),
        ("연차 휴가는 매년 스물다섯 날입니다.", "iso2022_kr"),
        ("الإجازة السنوية خمسة وعشرون يوما لكل موظف.", "utf-8"),
    ],
)
def test_encodings_are_told_apart(text, encoding):
    assert words(text.encode(encoding), "a.txt") == text


def test_control_and_direction_characters_are_dropped():
    assert (
        words("Leave\x00 \x1b[31mpolicy\u202e\x07: 27\u200b days".encode(), "a.txt")
        == "Leave policy: 27 days"
    )


def test_text_is_normalised():
    assert words("Café".encode(), "a.txt") == "Café"


@pytest.mark.parametrize("data", [b"", b"  \n\t ", b"\x00\x00\x00\x00"])
def test_an_empty_file_says_so(data):
    with pytest.raises(DocumentEmpty, match="The file is empty"):
        parse(data, "x")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04 not really a zip", "damaged"),
        (b"%PDF-1.7 and nothing more", "damaged"),
        (samples.word()[:-2000], "damaged"),
    ],
)
def test_a_damaged_file_says_so(data, reason):
    with pytest.raises(DocumentDamaged, match=reason):
        parse(data, "x")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{\\rtf1 text}", "RTF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\x7fELF\x02", "program"),
        (samples.zipped({"../../x.txt": "out", "a.md": "in"}), "Archives"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"), r"\.doc\b"),
        (samples.zipped({"xl/workbook.bin": "cells"}), r"\.xlsb"),
        (samples.zipped({"Index/Document.iwa": "text"}), "Pages"),
        (samples.zipped({"visio/document.xml": "<x/>"}), "Visio"),
        (bytes(range(256)) * 8, "neither a known format nor text"),
    ],
)
def test_what_is_not_read_is_named(data, reason):
    with pytest.raises(DocumentUnsupported, match=reason):
        parse(data, "x")


def test_an_encrypted_office_file_asks_for_one_without_a_password():
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(DocumentEncrypted, match="password"):
        parse(data, "x.docx")


def test_a_bomb_is_refused_by_what_it_unpacks_to():
    bomb = samples.zipped({"word/document.xml": b" " * 3_000_000})
    with pytest.raises(DocumentTooLarge, match=r"unpacks to 2\.9 MB, over the limit of 1\.0 MB"):
        parse(bomb, "x", Limits(unpacked_bytes=2**20))


def test_a_file_over_the_limit_says_by_how_much():
    with pytest.raises(DocumentTooLarge, match=r"2\.0 MB, over the limit of 1\.0 MB"):
        parse(b"x" * 2**21, "x", Limits(file_bytes=2**20))


def test_entities_of_xml_are_not_expanded():
    body = '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><w:document xmlns:w="http://schemas.openxmlformats.org/'
    body += 'wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>Safe &a; text</w:t></w:r></w:p></w:body></w:document>'
    assert "root" not in words(samples.zipped({"word/document.xml": body}))
