"""What language a text is in, and a question: by their small words, such as der, die and und."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson

from retrieval.lexical.analysis import DEFAULT, FOLDED, IN_CAPITALS, plain, stopping, without_small
from retrieval.lexical.stopwords import CAPITALS, ENGLISH, LANGUAGES

SPOKEN = 2  # small words of a language by which a question is known to be asked in it

# Where nothing is declared, a text is in another language than English if so many different small words say so, which
# are this share of its words, and so many times the words that are small in English alone.
LEAST, SHARE, TIMES = 3, 0.1, 1.5
LOOKED_AT = 1000  # letters
_PLAINLY = (
    " the ",
    " and ",
    " to ",
    " that ",
    " with ",
    " this ",
    " you ",
    " from ",
    " or ",
    " by ",
    " it ",
    " can ",
)
"""Three of these, and it is English: that takes a twentieth of the time of counting, and indexes are made of many."""

# Small words that a language's list lacks and that of its sister has.
_ALSO = {
    "da": "bare begge både fordi før hver ingen kan kun samme siden så ved",
    "no": "alt hos under",
}

_WORD = re.compile(r"\w+")
# Letters of one of the languages alone, and those that tell that it is another with the same script.
_SCRIPTS = {
    "el": (re.compile("[\u0370-\u03ff\u1f00-\u1fff]"), re.compile(r"(?!)")),
    "ru": (re.compile("[\u0400-\u04ff]"), re.compile("[іїєґўјљњћђџѓќ]")),
    "ta": (re.compile("[\u0b80-\u0bff]"), re.compile(r"(?!)")),
    "ar": (re.compile("[\u0600-\u06ff]"), re.compile("[پچژگڤټډړڼےھں]")),
}


def language_of(text: str, declared: Iterable[str]) -> str:
    """The declared language whose small words are most of the text, the first one when none is. Where none is declared,
    the one that it seems to be in."""
    codes = list(declared)
    if not codes:
        return guessed(text)
    known = [code for code in codes if code in LANGUAGES] or [DEFAULT]
    if len(known) == 1:
        return known[0]
    sample = " ".join(text.split()[:200]).lower().translate(FOLDED)
    dropped = {code: _share_dropped(code)(sample) for code in known}
    return max(known, key=lambda code: dropped[code])


def guessed(text: str) -> str:
    """The language that a text seems to be in; English where nothing says otherwise."""
    start, plainly = text[:LOOKED_AT], 0
    for word in _PLAINLY:
        plainly += word in start
        if plainly == LEAST:
            return DEFAULT
    sample = start.lower() if start.isascii() else start.translate(FOLDED).lower()
    if not sample.isascii() and (script := _by_script(sample)):
        return script
    words = [word for word in sample.split() if word.isalpha()]  # no addresses, codes or names in programs
    if len(_english_alone().intersection(words)) >= LEAST:
        return DEFAULT
    small: dict[str, Counter[str]] = {}
    for word, count in Counter(words).items():
        for code in _small_in(word):
            small.setdefault(code, Counter())[word] = count
    if not small:
        return DEFAULT
    # The last of equals: a text that is Danish has words that Norwegian has not, and seldom the other way round.
    likely = max(reversed(small), key=lambda code: (small[code].total(), code == DEFAULT))
    counted = small[likely].total()
    english = sum(count for word, count in small.get(DEFAULT, {}).items() if word in _english_alone())
    several = len(small[likely].keys() - ENGLISH) >= LEAST
    enough = counted >= SHARE * len(words) and counted >= TIMES * english
    return likely if several and enough else DEFAULT


def _by_script(sample: str) -> str:
    """The language whose letters are most of the text's."""
    letters = sum(map(str.isalpha, sample))
    for code, (own, others) in _SCRIPTS.items():
        if 2 * len(own.findall(sample)) > letters:
            return "" if others.search(sample) else code
    return ""


@lru_cache(maxsize=1 << 15)
def _small_in(word: str) -> tuple[str, ...]:
    """The languages in which a word is a small one."""
    return tuple(
        code for code in LANGUAGES if word in _ALSO.get(code, "").split() or _share_dropped(code)(word)
    )


@lru_cache(maxsize=1)
def _english_alone() -> frozenset[str]:
    """The small words of English that are none of another language's."""
    return frozenset(word for word in ENGLISH if _small_in(word) == (DEFAULT,))


@lru_cache(maxsize=2048)
def passage_language(text: str, declared: str) -> str:
    """The language that a passage was indexed in; `declared` by its collection, as JSON."""
    return language_of(text, orjson.loads(declared))


class Asked(NamedTuple):
    """A question for the texts of each language; `foreign` where it is in one of these that is not English."""

    by_language: dict[str, str]
    foreign: bool


def asked_in(question: str, languages: Sequence[str]) -> Asked:
    """Without the small words of the language that it is itself asked in, which are rare in the others' texts and would
    count the most there. A word alone, such as die, tells nothing: then it is in a language of the texts."""
    asked = dict.fromkeys(languages, question)
    if not asked.keys() - {DEFAULT}:
        return Asked(asked, foreign=False)
    small = small_words(question, (*languages, DEFAULT))
    spoken = max(small, key=lambda code: len(small[code]))
    if len(small[spoken]) < SPOKEN:
        return Asked(asked, foreign=DEFAULT not in asked)

    def kept(word: re.Match[str]) -> str:
        is_small = word[0].translate(FOLDED).lower() in small[spoken]
        return "" if is_small and word[0] not in CAPITALS else word[0]

    without = _WORD.sub(kept, unicodedata.normalize("NFKC", question))
    by_language = {code: question if code == spoken else without for code in languages}
    return Asked(by_language, foreign=spoken != DEFAULT)


def small_words(question: str, languages: Iterable[str]) -> dict[str, frozenset[str]]:
    """Each language's small words in a question, folded and in small letters; IT and US in capitals are none."""
    folded = IN_CAPITALS.sub(" ", unicodedata.normalize("NFKC", question)).translate(FOLDED)
    words = frozenset(plain().build().analyze(folded))
    return {code: words.difference(without_small(code).analyze(folded)) for code in languages}


@lru_cache(maxsize=len(LANGUAGES) + 1)
def _share_dropped(code: str) -> Callable[[str], int]:
    """Counts the words that the language's stop list takes away."""
    stopped = plain().filter(stopping(code)).build()
    return lambda text: len(text.split()) - len(stopped.analyze(text))
