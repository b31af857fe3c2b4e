"""The namespaces of OpenDocument."""

_OASIS = "{urn:oasis:names:tc:opendocument:xmlns:"
OFFICE = f"{_OASIS}office:1.0}}"
TEXT = f"{_OASIS}text:1.0}}"
TABLE = f"{_OASIS}table:1.0}}"
DRAW = f"{_OASIS}drawing:1.0}}"
STYLE = f"{_OASIS}style:1.0}}"
SVG = f"{_OASIS}svg-compatible:1.0}}"
CHART = f"{_OASIS}chart:1.0}}"
PRESENTATION = f"{_OASIS}presentation:1.0}}"
MATH = "{http://www.w3.org/1998/Math/MathML}"
XLINK = "{http://www.w3.org/1999/xlink}"
DC = "{http://purl.org/dc/elements/1.1/}"
XML = "{http://www.w3.org/XML/1998/namespace}"


def count(text: str | None, default: int = 1) -> int:
    """A number that a file states, of at most seven digits; else the default."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else default
