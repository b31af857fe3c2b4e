"""Pages whose fonts do not say which letters they show: what a program reads there is the numbers of their shapes, such
as `7UDYHO SROLF\\` for "Travel policy"."""

import pypdfium2
import pypdfium2.raw as pdfium

_SAMPLE = 200  # characters of a page
_LEAST = 20  # of them: fewer are a sign or a formula
_SHARE = 0.6
_VOWELS = frozenset("aeiouyáàâäãåæéèêëíìîïóòôöõøœúùûüý")
_BLANK = frozenset(map(ord, " \t\r\n\xa0"))


class Unmapped(Exception):
    """The page shows text, but not to programs."""


def check(text_page: pypdfium2.PdfTextPage) -> None:
    """Raises Unmapped."""
    count = text_page.count_chars()
    places = [at for at in range(0, count, max(1, count // _SAMPLE)) if _code(text_page, at) not in _BLANK]
    unknown = [at for at in places if _is_unknown(text_page, at)]
    if len(places) < _LEAST or len(unknown) < _SHARE * len(places):
        return
    if not _reads_as_words("".join(chr(_code(text_page, at)) for at in unknown)):
        raise Unmapped


def _code(text_page: pypdfium2.PdfTextPage, at: int) -> int:
    return int(pdfium.FPDFText_GetUnicode(text_page, at))


def _is_unknown(text_page: pypdfium2.PdfTextPage, at: int) -> bool:
    """Its font says nothing of it, or a letter of its own (private use)."""
    private = 0xE000 <= _code(text_page, at) <= 0xF8FF
    return private or pdfium.FPDFText_HasUnicodeMapError(text_page, at) == 1


def _reads_as_words(text: str) -> bool:
    """The shapes may well be numbered as letters are: so does TeX with the pictures of letters that it made of old."""
    if sum(char.isdigit() for char in text) >= 0.4 * len(text):
        return True
    small = sum(char.islower() for char in text)
    vowels = sum(char in _VOWELS for char in text)
    return small >= 0.5 * len(text) and 0.25 * small <= vowels <= 0.65 * small
