"""An answer without a model: the sentences of the passages that answer best, quoted with their sources. Pure.

Nothing is invented: every word is the document's. A table row is told with the heads of its columns, a list
item with the line that introduces its list, and a heading that asks the question gives way to the sentence
below it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from answering.citations import uncited
from answering.shortening import shortened
from retrieval.families import family
from retrieval.lexical.analysis import passage_terms, terms
from retrieval.passages import Passage
from retrieval.segmentation import is_heading, is_row
from retrieval.sentences import HEADS, Context, score_sentences

LEAD_IN = "The documents say:"
HEADING_WORDS = 6  # a line of so few words that no stop ends is a heading
LONGEST = 420  # characters of one quoted sentence
WORTH = 0.5  # of the best sentence's score: what is weaker is not quoted
NEWS = 1.5  # times its score, that a further quote is worth which has words of the question that those before have not
ALIKE = 0.85  # of the best sentence's score: where all is said, nothing weaker of another passage is quoted
STRONG = 0.7  # of the best sentence's score: of what is weaker only one is quoted, after the best

_ITEM = re.compile(r"^\s*(?:[-*+•–]|\d{1,3}[.)]|[a-zA-Z][.)])\s+")
_BOX = re.compile(r"^\[ \]\s+")  # of a list of things to do, which no reader can tick here
_RULE = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")
_CELL = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s[^)\n]*)?\)")
_LEANING = re.compile(
    r"(?!(?-i:IT)\b)(?:it|this|that|these|those|they|he|she|such|then|also|however|otherwise)\b",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(r"(?:yes|no|ja|nein|oui|non|s[ií]|n[ãa]o)[.,;:!]", re.IGNORECASE)
_STOPS = ".!?。！？…\"'”’)]"
_WORD = re.compile(r"\w{2,}")


_Unit = tuple[int, int, float]
"""Start, end and score of a sentence."""


@dataclass(frozen=True, slots=True)
class _Quote:
    """A readable piece of one passage. `unit` is the place of its sentence in the passage."""

    passage: int
    unit: int
    text: str
    score: float
    list_head: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question, and which of its words a quote has."""

    question: str
    context: Context

    def said(self, quote: _Quote, *, headed: bool = False) -> frozenset[str]:
        """Its words in the quote, in their own form or another of their family; `headed`: those of the title and the
        headings above it, too."""
        language = self.context.languages[quote.passage]
        head = self.context.heads[quote.passage] if headed else ""
        has = set(terms(f"{head}\n{quote.list_head} {quote.text}", language))
        kin = {family(word) for word in has} - {""}
        return frozenset(
            word for word in passage_terms(self.question, language) if word in has or family(word) in kin
        )


def extract(
    question: str, passages: Sequence[tuple[int, Passage]], *, most: int = 3, lead_in: str = LEAD_IN
) -> str:
    """Markdown that quotes at most `most` sentences of `passages` (number, passage; best first), each
    passage's with its `[n]`; "" when no sentence has anything of the question."""
    texts = [passage.text for _, passage in passages]
    context = Context.of([passage for _, passage in passages])
    quotes = _best(_quotes(question, texts, context), most, _Asked(question, context))
    if not quotes:
        return ""
    order = list(dict.fromkeys(quote.passage for quote in quotes))
    blocks = [
        f"> {uncited(_joined([quote for quote in quotes if quote.passage == place]))} [{passages[place][0]}]"
        for place in order
    ]
    return "\n\n".join([lead_in, *blocks])


def _best(quotes: list[_Quote], most: int, asked: _Asked) -> list[_Quote]:
    """The best quotes, best first, none within another. Each further one goes on from the best, is nearly as good, or
    says more of the question than those before (not a single word of it, which any sentence may have). Once they say
    all that any does, another passage must be as good. Beside what goes on from the best, only one of them is weak,
    and none that would be read before the best."""
    ranked = sorted(quotes, key=lambda quote: (-quote.score, quote.passage, quote.unit))
    if not ranked:
        return []
    best = ranked[0]
    ranked = [quote for quote in ranked if quote.score * NEWS >= WORTH * best.score]
    has = {quote: asked.said(quote) for quote in ranked}
    chosen: list[_Quote] = []
    said: frozenset[str] = frozenset()
    weak = 0
    while ranked and len(chosen) < most:
        news = [bool(chosen) and len(has[quote]) > 1 and not has[quote] <= said for quote in ranked]
        worth = [quote.score * (NEWS if new else 1) for quote, new in zip(ranked, news, strict=True)]
        at = worth.index(max(worth))
        if worth[at] < WORTH * best.score:
            break
        quote, new = ranked.pop(at), news[at]
        after = quote.unit - best.unit if quote.passage == best.passage else None
        is_weak = quote.score < STRONG * best.score and after != 1
        echoes = not new and after is None and quote.score < ALIKE * best.score
        if chosen and echoes and all(one <= said for one in has.values()):
            continue
        if (is_weak and (weak or not new or (after is not None and after < 0))) or _within(quote, chosen):
            continue
        chosen = [known for known in chosen if not _within(known, [quote])] + [quote]
        said |= asked.said(quote, headed=True)
        weak += is_weak
    return sorted(chosen, key=lambda quote: -quote.score)


def _within(quote: _Quote, others: Sequence[_Quote]) -> bool:
    """Whether one of the others says it as well."""
    words = f" {' '.join(_WORD.findall(quote.text.lower()))} "
    return any(words in f" {' '.join(_WORD.findall(other.text.lower()))} " for other in others)


def _joined(quotes: list[_Quote]) -> str:
    """Quotes of one passage in the order of the text, with what was left out between them marked."""
    quotes = sorted(quotes, key=lambda quote: quote.unit)
    out = f"{quotes[0].list_head} {quotes[0].text}".strip()
    for before, quote in pairwise(quotes):
        if quote.list_head and quote.list_head == before.list_head:
            out += ("" if out[-1] in ".!?;:…" else ";") + f" {quote.text}"
        else:
            out = _linked(out, f"{quote.list_head} {quote.text}".strip(), quote.unit == before.unit + 1)
    return out


def _linked(one: str, other: str, adjacent: bool) -> str:
    """Two pieces with one ellipsis between them, or none where nothing is left out."""
    if adjacent and one.endswith(" …") and other.startswith("… "):
        return f"{one.removesuffix(' …')} {other.removeprefix('… ')}"
    if adjacent and one[-1] in ".!?":
        return f"{one} {other}"
    return f"{one.removesuffix(' …')} … {other.removeprefix('… ')}"


def _quotes(question: str, texts: Sequence[str], context: Context) -> list[_Quote]:
    """Every sentence of every text that can be quoted and has something of the question."""
    units: list[list[_Unit]] = [[] for _ in texts]
    for sentence in score_sentences(question, texts, context):
        units[sentence.passage].append((sentence.start, sentence.end, sentence.score))
    quotes: list[_Quote] = []
    for place, text in enumerate(texts):
        best = _best_rows(text, units[place])
        heads = 0.0
        for unit, (start, _, score) in enumerate(units[place]):
            row = is_row(text, start)
            told = _told(text, units[place], unit) if score > 0 and score >= WORTH * best[unit] else None
            if told:
                quotes.append(_Quote(place, told[0], told[1], score + HEADS * heads * row, told[2]))
            heads = (heads or score) if row else 0.0
    return quotes


def _best_rows(text: str, units: Sequence[_Unit]) -> list[float]:
    """For each sentence the best score of a row of its table below the heads; 0 where it is in none. What the heads
    give is the same for each row, and would let those be quoted that have nothing else of the question."""
    best = [0.0] * len(units)
    for table, places in groupby(range(len(units)), lambda place: is_row(text, units[place][0])):
        held = list(places)
        if table:
            top = max((units[place][2] for place in held[1:]), default=0.0)
            for place in held:
                best[place] = top
    return best


def _told(text: str, units: Sequence[_Unit], unit: int) -> tuple[int, str, str] | None:
    """(place, words, head of its list) of a sentence as it is quoted; None where it says nothing by
    itself."""
    start, end, _ = units[unit]
    raw = text[start:end]
    line = text[text.rfind("\n", 0, start) + 1 : _line_end(text, end)]
    if line.lstrip().startswith("|"):
        row = _row(text, start, line)
        return (unit, row, "") if row else None
    if raw.rstrip().endswith("?") or line.lstrip().startswith("#"):
        following = unit + 1
        if following < len(units) and not text[units[following][0] : units[following][1]].rstrip().endswith(
            "?"
        ):
            return _told(text, units, following)
        return None
    words = _clean(raw)
    if len(_WORD.findall(words)) < 3 or words.endswith(":"):
        return None
    opening = _opening(text, units, unit, words)
    if _ITEM.match(line) and not is_heading(text, start, end):
        return unit, f"{opening} {words}".strip(), _list_head(text, start)
    if len(_WORD.findall(line)) <= HEADING_WORDS and words[-1] not in _STOPS:
        return None
    if opening:
        words = f"{opening} {words}"
    elif words[0].islower() and (start == 0 or text[start - 1] == " "):
        words = f"… {words}"
    if text[end : _line_end(text, end)].strip() and words[-1] not in _STOPS:
        words += " …"
    return unit, words, ""


def _opening(text: str, units: Sequence[_Unit], unit: int, words: str) -> str:
    """The sentences before one without which it says little: what it leans on, the yes or no that it goes on from, the
    question that it answers."""
    if not unit:
        return ""
    start, end, _ = units[unit - 1]
    before = _clean(text[start:end])
    if before.endswith("?"):
        return before if "\n" not in text[end : units[unit][0]] or _YES_OR_NO.match(words) else ""
    if "\n" not in text[start : units[unit][0]].rstrip() and (
        _LEANING.match(words) or _YES_OR_NO.match(before)
    ):
        return f"{_opening(text, units, unit - 1, before)} {before}".strip()
    return ""


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", max(place - 1, 0))
    return len(text) if found < 0 else found


def _row(text: str, start: int, line: str) -> str:
    """`| Meals | 40 EUR |` under `| Item | Limit |` -> `Item: Meals; Limit: 40 EUR.`; "" for heads and
    rules."""
    if _RULE.match(line):
        return ""
    above = text[: text.rfind("\n", 0, start) + 1].splitlines()
    below = text[_line_end(text, start + 1) + 1 :].split("\n", 1)[0]
    if "-" in below and _RULE.match(below):
        return ""
    rule = next((i for i in range(len(above) - 1, 0, -1) if "-" in above[i] and _RULE.match(above[i])), 0)
    heads = _cells(above[rule - 1]) if rule else []
    cells = _cells(line)
    if len(heads) != len(cells):
        return "; ".join(cell for cell in cells if cell)
    told = [f"{head}: {cell}" if head else cell for head, cell in zip(heads, cells, strict=True) if cell]
    return "; ".join(told) + "." if told else ""


def _cells(line: str) -> list[str]:
    return [_clean(cell.replace("\\|", "|")) for cell in _CELL.split(line.strip().strip("|"))]


def _list_head(text: str, start: int) -> str:
    """The line that introduces the list around `start` (`Receipts must:`), or ""."""
    for line in reversed(text[: text.rfind("\n", 0, start) + 1].splitlines()):
        if line.strip() and not _ITEM.match(line):
            head = _clean(line)
            return head if head.endswith(":") and len(head) <= 200 else ""
    return ""


def _clean(raw: str) -> str:
    """One line without the marks of a list, a heading or a link, nor anything that looks like a citation;
    cut, if it is very long, between words."""
    text = " ".join(_BOX.sub("", _ITEM.sub("", raw.strip())).lstrip("#> ").split())
    text = uncited(_LINK.sub(r"\1", text))
    for mark in ("**", "__", "`"):
        if text.count(mark) % 2:
            text = text.replace(mark, "")
    return shortened(text, LONGEST)
