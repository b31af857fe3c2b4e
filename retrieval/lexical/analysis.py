"""Text -> terms, the same way for both engines, for documents and for questions.

tantivy's analyzer does the heavy part in Rust: words, lower case, accents folded, stop words dropped,
stems. Before it, `prepare` writes out what such an analyzer loses, as further words at the end of the text:

* codes, versions, part numbers, addresses as whole words beside their parts: `AB-1234` also as `ab1234`,
  `v2.3.1` as `2ˑ3ˑ1` (between digits the joint stays, so that 2.31 is not 23.1), `10,000` as `10000`,
  `jo.doe@acme.com` as `jodoeacmecom`; so `e-mail` finds `email` as well;
* IT, US, WHO in capitals, also as U.S., and the A of plan A, which would pass for stop words;
* Chinese, Japanese, Thai and the like as overlapping pairs of characters, for they put no spaces between
  words; Korean too, whose words end in particles.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from retrieval.lexical.stopwords import ASKING, CAPITALS, ENGLISH, LANGUAGES, SMALL

MOST_TERMS = 48
"""Terms a question is searched with; a question of 35 very common words costs 200 ms at a million chunks."""

LONGEST_TERM = 64
NUMBERED = re.compile(r"([^\W\d_]{2,})(\d+)")  # a name with a number, in one word
TITLE_WEIGHT, HEADING_WEIGHT = 2, 2  # how often each counts; docs/retrieval-measured.md has the figures
DEFAULT = "en"

JOINT = "ˑ"  # a letter to Unicode, so that tokenizers keep it, and found in no text
# A text is searched for codes through its shape: `a` for letters and digits, `-` for joints, else a space.
_SHAPE = bytes(
    ord("-" if letter in "-_.@&+/:," else "a" if letter.isalnum() or letter == "?" else " ")
    for letter in map(chr, range(256))
)
_DASH = ord("-")
_CODE = re.compile(rb"a+(?:-a+)+")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[-_./:](?=\d)")
_VERSION = re.compile(r"^[vV](?=\d+\.\d)")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_MADE = re.compile(r"[^\W\d_]+(?:[-/][^\W\d_]+)+")
_SEPARATORS = re.compile(r"[-_.@&+/:,]")
_SIGN_BEARERS = "cCfFjJ"
_SIGNED = re.compile(rf"(?<!\w)([{_SIGN_BEARERS}])(\+\+|#)")
IN_CAPITALS = re.compile(rf"\b(?:{'|'.join(sorted(CAPITALS))})\b")
_NAMED_A = re.compile(r" A(?<=[^\W\d_] A)(?![\w'’]| [A-Z])")  # plan A, but not the article in Book A Room
_SHOUTED = 3  # words, all of them in capitals
_EXOTIC = re.compile(r"[\u00adİʻʼ\u0300-\u1dff\u200d\u2060\u2e80-\ufeff\U00020000-\U0003ffff]")
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_MARKS = dict.fromkeys(
    [*range(0x0300, 0x0370), *range(0x0591, 0x05C8), *range(0x064B, 0x0660), 0x0640, 0x0670]
)
_UNSEEN = dict.fromkeys([0x00AD, 0x200D, 0x2060, 0xFEFF])  # a soft hyphen, joiners and a mark of byte order
_DIGITS = {
    code: str(unicodedata.decimal(chr(code)))
    for code in range(0x0660, 0x1C60)
    if unicodedata.category(chr(code)) == "Nd"
}
# One word is typed both ways: with or without an accent or a hamza, in capitals, on an Arabic or a Persian keyboard.
FOLDED = (
    str.maketrans("ёЁάέήίόύώϊϋΐΰΆΈΉΊΌΎΏςİأإآٱىیک", "еЕαεηιουωιυιυΑΕΗΙΟΥΩσiااااييك")
    | str.maketrans({"ʻ": "'", "ʼ": "'"})
    | _DIGITS
    | _MARKS
    | _UNSEEN
)


def prepare(text: str) -> str:
    """The text with its whole codes appended, ready for an analyzer."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        if _EXOTIC.search(text):
            text = _UNSPACED.sub(_pairs, text.translate(FOLDED))
        text = text.replace("‐", "-").replace("‑", "-").replace("–", "-")
    further = [term for term in map(_whole, _codes(text)) if term and len(term) <= LONGEST_TERM]
    if _has_one(text, CAPITALS) and not (text.isupper() and len(text.split(None, _SHOUTED)) >= _SHOUTED):
        further += [word + JOINT for word in IN_CAPITALS.findall(text)]
    further += ["A" + JOINT for _ in _NAMED_A.findall(text)]
    if _is_signed(text):
        further += ["cpp" if sign == "++" else letter + "sharp" for letter, sign in _SIGNED.findall(text)]
    return f"{text} {' '.join(further)}" if further else text


def _has_one(text: str, words: Iterable[str]) -> bool:
    for word in words:  # noqa: SIM110 - half the time that any() takes
        if word in text:
            return True
    return False


def _is_signed(text: str) -> bool:
    """Whether a letter bears the sign of a programming language. A heading of Markdown has such a sign, too, and the
    expression takes a third of the time of all else."""
    for sign in ("#", "++"):
        at = text.find(sign)
        while at >= 0:
            if at > 0 and text[at - 1] in _SIGN_BEARERS:
                return True
            at = text.find(sign, at + 1)
    return False


def _codes(text: str) -> list[str]:
    """The codes of a text. Most words are none: searching the shape takes a tenth of the time that a regular
    expression over the text takes."""
    shape = text.encode("latin-1", "replace").translate(_SHAPE)
    found, at = [], shape.find(b"a-a")
    while at >= 0:
        start = shape.rfind(b" ", 0, at) + 1
        end = shape.find(b" ", at)
        end = len(shape) if end < 0 else end
        if shape.find(b"--", start, end) < 0:  # one code and nothing else, as nearly always
            found.append(text[start + (shape[start] == _DASH) : end - (shape[end - 1] == _DASH)])
        else:
            found += [text[match.start() : match.end()] for match in _CODE.finditer(shape, start, end)]
        at = shape.find(b"a-a", end)
    return found


@lru_cache(maxsize=1 << 15)
def _whole(code: str) -> str:
    # A sign that Latin-1 has not, such as that of the euro, has the shape of a letter.
    code = _VERSION.sub("", _EDGES.sub("", code))
    if "," in code:
        return code.replace(",", "") if _THOUSANDS.fullmatch(code) else ""
    whole = _SEPARATORS.sub("", _BETWEEN_DIGITS.sub(JOINT, code))
    return whole + JOINT if "." in code and whole.upper() in CAPITALS else whole  # U.S. is no us


def is_unspaced(term: str) -> bool:
    """Whether it is a single letter of a script that is read in pairs."""
    return len(term) == 1 and _UNSPACED.fullmatch(term) is not None


def _pairs(run: re.Match[str]) -> str:
    text = run.group()
    return f" {' '.join(text[at : at + 2] for at in range(max(1, len(text) - 1)))} "


@lru_cache(maxsize=len(LANGUAGES) + 1)
def analyzer(language: str = DEFAULT) -> TextAnalyzer:
    """The analyzer of a language by its code; English for a code that is not known."""
    name = LANGUAGES.get(language, LANGUAGES[DEFAULT])
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(LONGEST_TERM + 1))
    builder = builder.filter(Filter.lowercase())
    if name == LANGUAGES[DEFAULT]:
        # Stop words go before accents do: thé and a Vietnamese số or hệ are no English words.
        builder = builder.filter(stopping(DEFAULT)).filter(Filter.ascii_fold())
        return builder.filter(Filter.stemmer(name)).build()
    # Other stemmers know their accents, and their stop words bear them: fold what is left afterwards.
    builder = builder.filter(stopping(language)).filter(_asking(language))
    return builder.filter(Filter.stemmer(name)).filter(Filter.ascii_fold()).build()


def stopping(code: str) -> Filter:
    """Drops the stop words of a known language."""
    if code == DEFAULT:
        return Filter.custom_stopword(sorted(ENGLISH))
    if code in SMALL:
        return Filter.custom_stopword(SMALL[code].translate(FOLDED).split())
    return Filter.custom_stopword([]) if code == "ta" else Filter.stopword(LANGUAGES[code])


def _asking(code: str) -> Filter:
    return Filter.custom_stopword(ASKING.get(code, "").translate(FOLDED).split())


def terms(text: str, language: str = DEFAULT) -> list[str]:
    """The terms of a text in its order, repeated where they repeat."""
    found: list[str] = analyzer(language).analyze(prepare(text))
    return found


@lru_cache(maxsize=2048)
def passage_terms(text: str, language: str = DEFAULT) -> tuple[str, ...]:
    """The terms of a passage, remembered: the same ones are read for question after question."""
    return tuple(terms(text, language))


def query_terms(question: str, language: str = DEFAULT) -> list[str]:
    """The distinct terms of a question, in its order, the longest codes included."""
    return list(dict.fromkeys(terms(question, language)))


def compounds(question: str, language: str = DEFAULT) -> list[tuple[str, frozenset[str]]]:
    """Words of a question that are made of others, such as `e-mail` and `get/set`, as one term and by its parts; not
    `ab-1234` and `acme.com`, which name one thing."""
    analyze = analyzer(language).analyze
    made = [code for code in _codes(question) if _MADE.fullmatch(code)]
    return [(whole, frozenset(analyze(code))) for code in made for whole in analyze(_whole(code))]


def as_written(wanted: Iterable[str], texts: Sequence[Collection[str]], language: str = DEFAULT) -> list[str]:
    """The terms of a question as the texts, of which these are the terms, write a name with a number: `rfc7231` as
    `rfc` and `7231`, or the two as one, where a text has the one and none the other; and a single letter of a script
    that is read in pairs as a pair that begins with it."""

    def stand(*together: str) -> bool:
        return any(all(term in text for term in together) for text in texts)

    written: list[str] = []
    for term in wanted:
        before = written[-1] if written and written[-1].isalpha() and term.isdigit() else ""
        named = NUMBERED.fullmatch(term)
        if before and stand(before + term) and not stand(before, term):
            written[-1] = before + term
        elif named and not stand(term) and stand(*(parts := terms(f"{named[1]} {named[2]}", language))):
            written += parts
        elif is_unspaced(term) and not stand(term):
            written.append(next((one for text in texts for one in text if one.startswith(term)), term))
        else:
            written.append(term)
    return written


def weighted(title: str, heading: str, text: str) -> str:
    """What is indexed of a chunk: its text with title and headings in front, each counted twice.

    One field with repeated parts is BM25F with whole-number weights, and the same in every engine."""
    return prepare("\n".join([*([title] * TITLE_WEIGHT), *([heading] * HEADING_WEIGHT), text]))


def plain() -> TextAnalyzerBuilder:
    """Words in small letters."""
    return TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase())


@lru_cache(maxsize=len(LANGUAGES) + 1)
def without_small(code: str) -> TextAnalyzer:
    """Drops a language's stop words and what it asks with, and leaves the rest as it is."""
    return plain().filter(stopping(code)).filter(_asking(code)).build()
