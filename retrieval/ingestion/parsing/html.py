"""HTML: what a reader sees of the page's main part, by way of CommonMark."""

from retrieval.ingestion.blocks import ParsedDocument
from retrieval.ingestion.parsing.html_converter import as_commonmark
from retrieval.ingestion.parsing.markdown import parse_commonmark


def parse_html(text: str, media_type: str = "text/html") -> ParsedDocument:
    title, commonmark = as_commonmark(text)
    return parse_commonmark(commonmark, title, media_type)
