"""What PowerPoint puts on slides beside plain text."""

import datetime
import io
import zipfile

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches

from retrieval.ingestion.parsing import parse
from tests.unit.ingestion import samples


def texts(
    presentation: "pptx.presentation.Presentation", edited: dict[str, tuple[str, str]] | None = None
) -> list[str]:
    """The texts of its slides, once what is to be `edited` in the file's parts, by their paths, is replaced."""
    made = io.BytesIO()
    presentation.save(made)
    data = made.getvalue()
    if edited:
        with zipfile.ZipFile(made) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members |= {
            name: members[name].replace(old.encode(), new.encode()) for name, (old, new) in edited.items()
        }
        data = samples.zipped(members)
    return [block.text for block in parse(data, "a.pptx").blocks]


def test_a_line_break_joins_no_words():
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "Roadmap\v2027"
    slide.placeholders[1].text = "First\vthen"
    assert texts(made) == ["Roadmap 2027", "First\nthen"]


DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"


def test_the_points_of_a_smartart_are_read():
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    points = "".join(
        f"<dgm:pt><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>"
        for text in ("Plan", "Build")
    )
    data = (
        f'<dgm:dataModel xmlns:dgm="{DIAGRAM}" xmlns:a="{DRAWING}"><dgm:ptLst><dgm:pt/>{points}</dgm:ptLst>'
        "</dgm:dataModel>"
    )
    kind = "application/vnd.openxmlformats-officedocument.drawingml.diagramData+xml"
    part = Part(PackURI("/ppt/diagrams/data1.xml"), kind, slide.part.package, data.encode())
    key = slide.part.relate_to(part, f"{OFFICE}/diagramData")
    frame = (
        f'<p:graphicFrame xmlns:p="{SLIDES}" xmlns:a="{DRAWING}" xmlns:r="{OFFICE}"><p:nvGraphicFramePr>'
        '<p:cNvPr id="4" name="Diagram"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>'
        '<p:xfrm><a:off x="0" y="0"/><a:ext cx="1" cy="1"/></p:xfrm>'
        f'<a:graphic><a:graphicData uri="{DIAGRAM}"><dgm:relIds xmlns:dgm="{DIAGRAM}" r:dm="{key}"/>'
        "</a:graphicData></a:graphic></p:graphicFrame>"
    )
    slide.shapes._spTree.append(parse_xml(frame))
    assert texts(made) == ["- Plan", "- Build"]


def test_shapes_side_by_side_are_read_from_left_to_right():
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    for left, top, text in ((5, 1.0, "right"), (1, 1.02, "left"), (1, 3, "below")):
        box = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(0.5))
        box.text_frame.text = text
    assert texts(made) == ["left", "right", "below"]


OPEN = "application/vnd.openxmlformats-officedocument.presentationml.{}.main+xml"
MACROS = "application/vnd.ms-powerpoint.{}.macroEnabled.main+xml"


@pytest.mark.parametrize(
    "kind",
    [form.format(kind) for form in (OPEN, MACROS) for kind in ("slideshow", "template")],
)
def test_shows_and_templates_are_read_as_presentations(kind):
    made = pptx.Presentation()
    made.slides.add_slide(made.slide_layouts[5]).shapes.title.text = "Roadmap"
    assert texts(made, {"[Content_Types].xml": (OPEN.format("presentation"), kind)}) == ["Roadmap"]


def test_a_picture_in_the_place_of_a_title_is_no_damage():
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title._element.getparent().replace(
        slide.shapes.title._element,
        parse_xml(
            f'<p:pic xmlns:p="{SLIDES}" xmlns:a="{DRAWING}"><p:nvPicPr><p:cNvPr id="2" name="Picture"/><p:cNvPicPr/>'
            '<p:nvPr><p:ph type="title"/></p:nvPr></p:nvPicPr><p:blipFill/><p:spPr/></p:pic>'
        ),
    )
    slide.shapes.add_textbox(0, 0, Inches(2), Inches(1)).text_frame.text = "Our new office"
    assert texts(made) == ["Our new office"]


def charted(labels: list[object], values: list[float], edited: tuple[str, str] | None = None) -> list[str]:
    figures = CategoryChartData()
    figures.categories = labels
    figures.add_series("Revenue", values)
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    frame = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), figures)
    frame.chart.has_title = True
    frame.chart.chart_title.text_frame.text = "Sales"
    path = str(frame.chart.part.partname)[1:]
    return texts(made, {path: edited} if edited else None)


@pytest.mark.parametrize("kind", ["c:barChart", "c:bar3DChart", "c:surface3DChart", "c:ofPieChart"])
def test_the_figures_of_charts_of_each_kind_are_read(kind):
    read = charted(["East", "West"], [19.5, 7], ("c:barChart", kind))
    assert read == ["Sales", "|  | Revenue |\n| --- | --- |\n| East | 19.5 |\n| West | 7 |"]


def test_figures_of_charts_have_no_more_digits_than_excel_keeps():
    _, table = charted(["007"], [4.5], ("<c:v>4.5</c:v>", "<c:v>4.4000000000000004</c:v>"))
    assert table.endswith("| 007 | 4.4 |")


def test_dates_under_a_chart_are_no_numbers_of_days():
    _, table = charted([datetime.date(2026, 3, 1), datetime.date(2026, 4, 1)], [1, 2])
    assert [row.split(" | ")[0] for row in table.split("\n")[2:]] == ["| 2026-03-01", "| 2026-04-01"]


def test_slides_in_the_strict_variant_are_read_as_others():
    assert parse(samples.strict(samples.slides()), "a.pptx") == parse(samples.slides(), "a.pptx")
