"""Bytes -> text: byte order marks, UTF-8, UTF-16 and UTF-32 without a mark, and the 8-bit encodings."""

import codecs
import re
from collections import Counter

from charset_normalizer import from_bytes

from retrieval.errors import DocumentUnsupported
from retrieval.ingestion.parsing.latin import latin_encoding

# UTF-32's mark begins with that of UTF-16, so it comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What old Japanese and Korean mail and pages, whose bytes are all ASCII, begin a word of another alphabet with.
_SHIFTS = (
    (b"\x1b$B", "iso2022_jp_ext"),
    (b"\x1b$@", "iso2022_jp_ext"),
    (b"\x1b$)C", "iso2022_kr"),
)
_SAMPLE = 64 * 1024
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_STRUCK_OVER = re.compile("[^\n\b]\b")  # bold and underlined letters of manuals for a printer: "N\bN", "_\bN"
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9_\-]{3,20})""", re.IGNORECASE)
# Between these and cp1252 only the frequency of accents decides, which says nothing where there are hardly any.
_LATIN = {
    "cp1250",
    "cp1254",
    "cp1257",
    "cp1258",
    "iso8859_2",
    "iso8859_4",
    "iso8859_13",
    "iso8859_16",
    "mac_latin2",
}
_FEW = 0.02
_MULTIBYTE = ("cp932", "gb18030", "euc_jp", "euc_kr", "big5")


def decode(data: bytes) -> str:
    """The text of a file. Raises DocumentUnsupported for what is not text."""
    text = _STRUCK_OVER.sub("", _decode(data))
    sample = text[:_SAMPLE]
    if len(_CONTROLS.findall(sample)) > max(8, len(sample) // 20):
        raise DocumentUnsupported("This is not a document that can be read: neither a known format nor text.")
    return text


def _decode(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if wide := _wide(data):
        return data.decode(wide, errors="replace")
    for shift, encoding in _SHIFTS:
        if shift in data[:_SAMPLE] and _decodes(data, encoding):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A cut or damaged place in a UTF-8 file does not make it something else.
        if error.start > _SAMPLE or _mostly_utf8(data[:_SAMPLE]):
            return data.decode("utf-8", errors="ignore")
    return data.decode(_eight_bit(data), errors="replace")


def _mostly_utf8(data: bytes) -> bool:
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return sum(ord(char) > 0x7F for char in text) - broken >= broken


def _wide(data: bytes) -> str:
    """UTF-32 or UTF-16 without a mark, else empty. Every second byte of an alphabet is nearly always the same, such
    as 0 for Latin and 4 for Cyrillic, and no printable character."""
    sample = data[: _SAMPLE - _SAMPLE % 4]
    units = len(sample) // 4
    if units < 4:
        return ""
    zero = [sample[place::4].count(0) / units for place in range(4)]
    if min(zero[2], zero[3]) > 0.9 and zero[0] < 0.1:
        return "utf-32-le"
    if min(zero[0], zero[1]) > 0.9 and zero[3] < 0.1:
        return "utf-32-be"
    for place, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):
        byte, times = Counter(sample[place::2]).most_common(1)[0]
        rare = sample[1 - place :: 2].count(byte) < 0.1 * units
        if byte < 0x20 and byte not in b"\t\n\r" and times > 1.2 * units and rare:
            return encoding
    return ""


def _eight_bit(data: bytes) -> str:
    if declared := _DECLARED.search(data[:2048]):
        name = declared[1].decode("ascii")
        if name.lower() not in {"utf-8", "utf8"} and _decodes(data, name):
            return "cp1252" if name.lower() in {"iso-8859-1", "latin-1", "latin1"} else name
    if latin := latin_encoding(data[:_SAMPLE]):
        return latin
    high = sum(byte >= 0x80 for byte in data[:_SAMPLE])
    if high < 0.3 * len(data[:_SAMPLE]) and len(data) < 200 and _decodes(data, "cp1252"):
        return "cp1252"  # too little to guess from: a few accents in a short Western text
    best = from_bytes(data[:_SAMPLE]).best()
    few = high < _FEW * len(data[:_SAMPLE])
    if best is not None and best.encoding in _LATIN and few and _decodes(data, "cp1252"):
        return "cp1252"
    if best is not None and _decodes(data, best.encoding):
        return best.encoding
    return next((name for name in _MULTIBYTE if _decodes(data, name)), "cp1252")


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data[:_SAMPLE].decode(encoding, errors="strict")
    except (LookupError, UnicodeDecodeError, ValueError) as error:
        # A character cut at the sample's end is no fault of the encoding.
        return isinstance(error, UnicodeDecodeError) and error.start >= _SAMPLE - 4
    return True
