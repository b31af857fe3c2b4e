"""PDFs whose writer says what is a heading, as Word, browsers and LibreOffice do."""

from retrieval.ingestion.blocks import HEADING
from retrieval.ingestion.parsing import parse

Line = tuple[str, int, str]
"""The tag of a line, its size and its text."""


def tagged(pages: list[list[Line]]) -> bytes:
    """Numbers of objects: 1 catalogue, 2 pages, 3 font, 4 tree, 5 document, 6 parents; then each page with its content;
    then the elements."""
    first_element = 7 + 2 * len(pages)
    elements: list[str] = []
    parents: list[str] = []
    shown: list[str] = []
    for number, lines in enumerate(pages):
        page, content, own = 7 + 2 * number, "", []
        for place, (tag, size, text) in enumerate(lines):
            own.append(f"{first_element + len(elements)} 0 R")
            elements.append(f"<< /Type /StructElem /S /{tag} /P 5 0 R /Pg {page} 0 R /K {place} >>")
            begin = f"/{tag} << /MCID {place} >> BDC BT /F1 {size} Tf"
            content += f"{begin} 50 {1900 - 20 * place} Td ({text}) Tj ET EMC "
        shown.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 2000] /StructParents {number}"
            f" /Contents {page + 1} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        shown.append(f"<< /Length {len(content)} >> stream\n{content}\nendstream")
        parents.append(f"{number} [{' '.join(own)}]")
    kids = " ".join(f"{first_element + place} 0 R" for place in range(len(elements)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /StructTreeRoot 4 0 R /MarkInfo << /Marked true >> >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{7 + 2 * n} 0 R' for n in range(len(pages)))}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Type /StructTreeRoot /K 5 0 R /ParentTree 6 0 R /RoleMap << /Heading#202 /H2 >> >>",
        f"<< /Type /StructElem /S /Document /P 4 0 R /K [{kids}] >>",
        f"<< /Nums [{' '.join(parents)}] >>",
        *shown,
        *elements,
    ]
    body = "".join(f"{number} 0 obj {one} endobj\n" for number, one in enumerate(objects, 1))
    return f"%PDF-1.7\n{body}trailer << /Root 1 0 R >>".encode()


def headings(pages: list[list[Line]]) -> list[tuple[str, int, int]]:
    document = parse(tagged(pages), "a.pdf")
    return [(b.text, b.page, b.level) for b in document.blocks if b.kind == HEADING]


def test_what_is_tagged_is_a_heading_whatever_its_size():
    rules = "Hotels cost 140 EUR at most in every city of the land."
    lines = [
        ("P", 24, "Travel rules"),
        ("H1", 16, "Hotels"),
        ("P", 12, rules),
        ("Heading#202", 12, "Breakfast"),
    ]
    assert headings([[*lines, ("P", 12, "It is paid for where the hotel asks for it on its bill.")]]) == [
        ("Travel rules", 1, 1),
        ("Hotels", 1, 1),
        ("Breakfast", 1, 2),
    ]


def test_headings_are_found_on_every_page_of_a_long_document():
    rest = [("P", 12, f"Rule {n} holds for all of the staff.") for n in range(70)]
    pages = [[("H1", 12, f"On {name}"), *rest] for name in ("hotels", "trains", "meals", "cars")]
    assert headings(pages) == [
        ("On hotels", 1, 1),
        ("On trains", 2, 1),
        ("On meals", 3, 1),
        ("On cars", 4, 1),
    ]
