"""What PowerPoint puts on slides beside plain text."""

import io

import pptx
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches

from retrieval.ingestion.parsing import parse


def texts(presentation: "pptx.presentation.Presentation") -> list[str]:
    made = io.BytesIO()
    presentation.save(made)
    return [block.text for block in parse(made.getvalue(), "a.pptx").blocks]


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
