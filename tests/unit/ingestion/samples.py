"""Small files made on the spot, one of each format."""

import io
import re
import zipfile

import docx
import openpyxl
import pptx
import pypdfium2


def word() -> bytes:
    made = docx.Document()
    made.core_properties.title = "Travel policy"
    made.sections[0].header.paragraphs[0].text = "Confidential: Contoso"
    made.add_heading("Hotels", 1)
    made.add_paragraph("A night costs 140 EUR at most.")
    made.add_paragraph("Book early", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["Grade", "Limit", "Manager", "160 EUR"], strict=True):
        cell.text = text
    return _saved(made)


def slides() -> bytes:
    made = pptx.Presentation()
    for title, body in [("Benefits", "Dental care is covered."), ("Leave", "You get 25 days.")]:
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    made.slides[1].notes_slide.notes_text_frame.text = "Part-timers get a share."
    return _saved(made)


def workbook(rows: int = 3) -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Rates"
    sheet.append(["City", "Per day"])
    for number in range(rows):
        sheet.append([f"City {number}", 40 + number / 2])
    return _saved(made)


def book(more: dict[str, str] | None = None) -> bytes:
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="b/book.opf"/></rootfiles></container>',
            "b/book.opf": '<package xmlns="http://www.idpf.org/2007/opf">'
            '<metadata><title xmlns="http://purl.org/dc/elements/1.1/">The guide</title></metadata>'
            '<manifest><item id="2" href="two.xhtml"/><item id="1" href="one.xhtml"/></manifest>'
            '<spine><itemref idref="1"/><itemref idref="2"/></spine></package>',
            "b/one.xhtml": "<html><body><h1>First</h1><p>Begin here.</p></body></html>",
            "b/two.xhtml": "<html><body><h1>Second</h1><p>End here.</p></body></html>",
            **(more or {}),
        }
    )


def scan(pages: list[list[str]]) -> bytes:
    """What a scanner makes of such pages: each a picture and nothing else. A page without lines is blank."""
    with pypdfium2.PdfDocument(pdf(pages)) as printed, pypdfium2.PdfDocument.new() as made:
        for source, lines in zip(printed, pages, strict=True):
            page = made.new_page(*source.get_size())
            if lines:
                picture = pypdfium2.PdfImage.new(made)
                picture.set_bitmap(source.render(scale=150 / 72))
                picture.set_matrix(pypdfium2.PdfMatrix().scale(*source.get_size()))
                page.insert_obj(picture)
                page.gen_content()
        written = io.BytesIO()
        made.save(written)
    return written.getvalue()


def pdf(pages: list[list[str]], size: int = 12) -> bytes:
    """A PDF in Helvetica, each page a list of lines; a line that begins with `# ` is set larger."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    for lines in pages:
        stream, y = "BT\n", 780
        for line in lines:
            large = line.startswith("# ")
            text = line.removeprefix("# ").replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
            stream += f"/F1 {size * 2 if large else size} Tf 1 0 0 1 60 {y} Tm ({text}) Tj\n"
            y -= 40 if large else 14
        stream += "ET"
        content = stream.encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        place = len(objects)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 "
            + font
            + b" >> >> /Contents %d 0 R >>" % place
        )
        kids.append(len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
        len(kids),
        b" ".join(b"%d 0 R" % kid for kid in kids),
    )
    return _pdf_of(objects)


def _pdf_of(objects: list[bytes]) -> bytes:
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start))
    return out.getvalue()


def unmapped(pages: list[list[str]], *, as_letters: bool = False) -> bytes:
    """The same in a font whose shapes have numbers and no letters, each drawn as it should be. `as_letters`: these
    numbers are those of letters all the same."""
    used = dict.fromkeys("".join(line for lines in pages for line in lines))
    codes = {letter: ord(letter) if as_letters else 33 + place for place, letter in enumerate(used)}
    shapes = {f"g{code}": letter for letter, code in codes.items()}
    drawn = "/Resources << /Font << /H << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", ""]
    procs = []
    for name, letter in shapes.items():
        stream = f"600 0 d0 BT /H 1000 Tf ({letter}) Tj ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        procs.append(f"/{name} {len(objects)} 0 R")
    objects[2] = (
        f"<< /Type /Font /Subtype /Type3 /FontBBox [0 -300 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] {drawn}"
        f" /CharProcs << {' '.join(procs)} >> /FirstChar 32 /LastChar 255"
        f" /Widths [{'600 ' * 224}] /Encoding << /Type /Encoding /Differences ["
        f" {' '.join(f'{code} /g{code}' for code in codes.values())}] >> >>"
    )
    kids = []
    for lines in pages:
        written = "".join(
            f"1 0 0 1 60 {780 - 30 * row} Tm <{''.join(f'{codes[c]:02x}' for c in line)}> Tj\n"
            for row, line in enumerate(lines)
        )
        stream = f"BT\n/F1 20 Tf\n{written}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 842] /Resources << /Font << /F1 3 0 R >> >>"
            f" /Contents {len(objects)} 0 R >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>"
    return _pdf_of([each.encode("latin-1") for each in objects])


def zipped(members: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _saved(made) -> bytes:
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def strict(data: bytes) -> bytes:
    """A Word, Excel or PowerPoint file as it is saved in the strict variant of its format."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped({name: _strict(content) for name, content in members.items()})


def _strict(content: bytes) -> bytes:
    usual = rb"http://schemas\.openxmlformats\.org/(?!package)(\w+)/2006/"
    return re.sub(usual, rb"http://purl.oclc.org/ooxml/\1/", content)
