"""When do two questions say the same? Pure.

`normal` is the form that keys caches: one spelling of the same text. `signature` goes further: it drops
politeness, filler and articles and undoes contractions, and keeps every other word in its place. Two
questions say the same only if their signatures are equal, so equal numbers, dates, names, codes, negations,
comparisons and question words are not checked one by one: any of them that differs is a word that differs.

Similar is not the same. At cosine 0.92 the bundled model takes 308 of 593 questions that differ in a year, a
name or a "not" for the cached one; this rule takes none (benchmarks/answer_cache.py)."""

import hashlib
import re
import unicodedata

Signature = tuple[str, ...]


def words_of(text: str) -> frozenset[str]:
    """A closed class of words, as it is written down."""
    return frozenset(text.split())


_QUOTES = str.maketrans(
    {"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-"}
)
_ENDS = " \t\n.,;:!?\"'…-"
_START = re.compile(rf"^(?:(?!-?\.?\d)[{_ENDS}])+")
"""What is left out of them at the start: all but the sign or the point of a number."""

_ASKED = (
    r"(?:how|what|who|whom|whose|where|when|why|which|can|could|may|might|must|should|shall|will|would|is|are"
    r"|am|was|were|do|does|did|has|have|had|if|i|we|please|pls|tell|let|there)\b"
)
_YOU = r"(?:(?:can|could|would|will) (?:you|someone|anyone|anybody|somebody) )?(?:please |kindly )?"
# Each goes only where a question can begin behind it, so that a "Hello Fresh discount" keeps its name.
_OPENINGS = (
    r"(?:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day))"
    r"(?: (?:there|all|everyone|team|folks))?",
    r"(?:(?:a|one|another|just a) )?(?:quick |short |simple |small )?question",
    r"excuse me|sorry|ok|okay|well|so|um|uh|er",
    _YOU + r"(?:tell|inform|let) (?:me|(?-i:us))(?: know)?",
    r"(?:do|does) (?:you|anyone|anybody|someone) (?:happen to )?know",
    r"(?:i|we)(?: would|'d) (?:really )?(?:like|love) to know",
    r"(?:i|we) (?:want|need|wish|wanted) to know",
    r"(?:i am|i'm|i was|we are|we were|just) (?:just )?(?:wondering|curious)",
    r"(?:have you |do you have )?any idea",
    r"please|pls|plz|kindly",
    r"just asking|out of curiosity",
)
# Each goes from the end of a question, the second group only after a stop.
_CLOSINGS = (
    r"please|pls|plz|(?:many )?thanks(?: (?:a lot|so much|very much|in advance|again))?|thx"
    r"|thank you(?: (?:so|very) much)?(?: in advance)?"
)
_ASIDES = (
    r"(?:i am |i'm |just )?asking for (?:a|my) (?:colleague|friend|coworker|co-worker|teammate|manager|boss)"
    r"|(?:can|could|would) you (?:please )?help(?: me)?|(?:do|does) (?:you|anyone|anybody) know"
    r"|any (?:help|ideas?|advice)(?: (?:is|would be) (?:much )?appreciated)?|cheers|(?:best |kind )?regards"
)
_OPENING = re.compile(rf"(?i:{'|'.join(_OPENINGS)})(?:\s*[,.:;!?]+\s*|\s+-+\s*|\s+(?=(?i:{_ASKED}))|$)")
_CLOSING = re.compile(
    rf"(?i:(?:^|[\s,.:;!?(-]+)(?:{_CLOSINGS})|(?:^|\s*[,.:;!?(]+\s*|\s+-+\s*)(?:{_ASIDES}))[\s,.:;!?)-]*$"
)

_CLOSING_MOST = 200
"""Characters at the end of a question where its closing is sought: from anywhere else none reaches the end, and to try
each of thousands of brackets against all that follow took seconds."""

_CONTRACTIONS = {
    "can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not", "ain't": "is not",
    "let's": "let us", "i'm": "i am", "y'all": "you all", "gonna": "going to", "wanna": "want to",
}  # fmt: skip
_IS = {"what", "who", "where", "when", "how", "why", "which", "that", "there", "here", "it", "he", "she"}
_TAILS = {"n't": "not", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am"}
# Contractions typed without their apostrophe. Those that are words of their own (cant, wont, its, were) are
# not here.
_BARE = {
    "whats": "what is", "wheres": "where is", "hows": "how is", "whos": "who is", "thats": "that is",
    "dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not", "arent": "are not",
    "wasnt": "was not", "werent": "were not", "couldnt": "could not", "shouldnt": "should not",
    "wouldnt": "would not", "havent": "have not", "hasnt": "has not", "hadnt": "had not", "im": "i am",
    "ive": "i have",
}  # fmt: skip
_SMALL = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBERS = {word: str(i) for i, word in enumerate(_SMALL, 2)}
_FILLER = frozenset({"the", "an", "please", "pls", "plz", "kindly", "actually", "basically"})
_ASKING = frozenset({"what", "how", "who", "where", "when", "why", "which"})
# After these "a" is a name and not an article: plan A, hepatitis A.
_LETTERED = words_of(
    """annex appendix band block box building category class exhibit form gate grade group hepatitis
    level option part phase plan schedule section series stage step team tier track type unit variant
    version vitamin zone"""
)

_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
# Words with what holds codes together (v1.2, a@b.com, and/or, 10-20), then signs that mean something by
# themselves.
_TOKEN = re.compile(
    r"(?<![\w.])(?:-\.?|\.)\d(?:[\d.]*\d)?|[^\W_]+(?:['._@/&:+#\\-]+[^\W_]+)*(?:[+#]+(?!\w))?"
    r"|[^\w\s.,;:!?\"'()\[\]{}…*-]|_"
)
# Signs that what follows would undo: the power in 10⁶ is no digit of 106, and an A- no A.
_POWER = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+)")
_MINUS = re.compile(r"\b([A-Za-z]{1,3})-(?=[\s.,;:!?)]|$)")
# In capitals these are names, in a question that is not in capitals throughout.
_NAMES = frozenset({"IT", "US", "WHO"})
_SPLIT = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])|(?<=[^\W\d_])-(?=\d)|(?<=\d)-(?=[^\W\d_])")


def normal(question: str) -> str:
    """One spelling of a text: compatibility forms, case, blanks and the punctuation around it made alike."""
    text = unicodedata.normalize("NFKC", question).translate(_QUOTES).casefold()
    return " ".join(text.split()).strip(_ENDS)


def signature(question: str) -> Signature:
    """The words that a question says, in order. Empty for a question of nothing but politeness."""
    text = unicodedata.normalize("NFKC", _POWER.sub(r"^\1", question)).translate(_QUOTES)
    text = _MINUS.sub(r"\1−", " ".join(text.split()))
    loud = text.isupper()
    text = _THOUSANDS.sub(lambda found: found.group().replace(",", ""), _bare(text))
    words: list[str] = []
    for raw in _TOKEN.findall(text):
        if raw in _NAMES and not loud:
            words.append(raw)
            continue
        for word in _expanded(raw):
            if _says_nothing(word, raw, words):
                continue
            words.append(_NUMBERS.get(word, word))
    return tuple(words)


def same(one: str, other: str) -> bool:
    """Whether an answer to `one` is an answer to `other`, as far as words can tell."""
    said = signature(one)
    return bool(said) and said == signature(other)


def digest(*parts: str) -> bytes:
    """16 bytes that stand for `parts`: cache keys bear no question in clear."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(part.encode("utf-8", "replace") + b"\x1f")
    return hashed.digest()


def _says_nothing(word: str, raw: str, before: list[str]) -> bool:
    """Whether `word` is filler where it stands. `A` is an article at the start alone, elsewhere it is a
    name."""
    if word == "a":
        return not before or (raw != "A" and before[-1] not in _LETTERED)
    if word == "exactly":
        return bool(before) and before[-1] in _ASKING
    return word in _FILLER and raw != "AN"


def _bare(text: str) -> str:
    """`text` without the politeness in front and behind; whole, where nothing else is in it."""
    rest = _START.sub("", text).rstrip(_ENDS)
    while rest and (found := _OPENING.match(rest)):
        rest = _START.sub("", rest[found.end() :])
    while rest and (found := _CLOSING.search(rest, max(0, len(rest) - _CLOSING_MOST))):
        rest = rest[: found.start()].rstrip(_ENDS)
    return rest


def _expanded(raw: str) -> list[str]:
    word = raw.casefold()
    if word[0] == ".":
        word = f"0{word}"
    for table in (_CONTRACTIONS, _BARE):
        if word in table:
            return table[word].split()
    for tail, meaning in _TAILS.items():
        if word.endswith(tail) and len(word) > len(tail):
            return [word.removesuffix(tail), meaning]
    if word.endswith("'s"):
        stem = word.removesuffix("'s")
        return [stem, "is"] if stem in _IS else [stem]
    return _SPLIT.sub(" ", word).split() if word[0] != "-" else [word]
