"""What PowerPoint puts on slides beside plain text."""

import io

import pptx

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
