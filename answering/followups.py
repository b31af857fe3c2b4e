"""Does a question go on from the one before it? Pure.

`And in Porto?` and `Can I carry them over?` find nothing by themselves. A question goes on where it begins as one that
does, or has little but words that stand for what was said before. It may go on where it has hardly a word of its own
(`Who has to agree?`, but also `What is Keywarden?`): then what the documents say to it by itself decides."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from answering.caches.normalise import words_of
from retrieval.lexical.analysis import DEFAULT, FOLDED
from retrieval.lexical.language import small_words
from retrieval.lexical.stopwords import CAPITALS, LANGUAGES


class Link(Enum):
    """How a question hangs together with the one before it."""

    NONE = "none"
    MAYBE = "maybe"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Reading:
    """`text`: the question together with what it follows."""

    link: Link
    text: str


FEW, OPENING, SOME = 2, 4, 3
"""Words of its own up to which a question goes on: where another word stands for something, where it begins as one that
goes on, and where neither tells."""

_OPENINGS = {
    "da": "og|men|eller|hvad med|hvad så|også|så|og så|gælder det",
    "de": "und|aber|oder|dann|auch|was ist mit|was ist bei|wie ist (?:es|das) (?:mit|bei)|wie sieht es|sonst|nur",
    "el": "και|αλλά|ή|τι γίνεται με|επίσης",
    "en": "and|but|or|also|plus|then|otherwise|what about|how about|what else|anything else|who else|same|only"
    "|even|except|in that case|in which case|ok|okay",
    "es": "y|pero|o|entonces|también|qué pasa con|qué hay de|solo|sólo",
    "fi": "ja|entä|mutta|tai|myös",
    "fr": "et|mais|ou|alors|aussi|qu'en est-il|même chose|seulement|sinon",
    "hu": "és|de|vagy|mi a helyzet",
    "it": "e|ma|o|oppure|allora|anche|che ne è|solo",
    "nl": "en|maar|of|dan|ook|hoe zit het|alleen",
    "no": "og|men|eller|hva med|også|så|gjelder det",
    "pt": "e|mas|ou|então|também|e quanto|só",
    "ro": "și|şi|dar|sau|ce zici de|ce se întâmplă cu",
    "ru": "а|и|но|или|тогда|также|что насчёт|что насчет|как насчёт|как насчет",
    "sv": "och|men|eller|hur är det med|vad gäller|också|så",
    "tr": "ve|peki|ama|ya|ya da",
}
"""What begins a question that goes on. Letters that are words of another language too ask for that language."""

_REFERRING = {
    "da": "den det de dem dets deres denne dette disse der han hun ham hende så",
    "de": "es sie er ihn ihm ihr ihnen ihre ihrer das dies diese dieser dieses diesem diesen dafür davon damit dazu"
    " daran dabei dadurch dagegen dahin dort dann danach davor darüber darauf darin darum deren dessen dasselbe"
    " derselbe dieselbe gleiche solche sonst beide",
    "el": "αυτό αυτή αυτός αυτά αυτές αυτοί αυτού αυτών εκεί τότε",
    "en": "it its they them their theirs that this these those he him his she her hers one ones there then both"
    " neither same other others another else instead such so",
    "es": "eso esto esa ese este esta esos esas estos estas ello él ella ellos ellas lo la los las le les allí"
    " entonces mismo misma otro otra ambos su sus",
    "fi": "se sen sitä siinä siitä siihen sille ne niitä niiden tämä tämän tätä nämä he hän silloin siellä sama",
    "fr": "cela ça ceci ce celui celle ceux celles il elle ils elles lui leur leurs l y en là alors même autre"
    " autres les le la",
    "hu": "az azt ez ezt ehhez ahhoz erre arra ennek annak ezek azok ő ők akkor ott ugyanez",
    "it": "questo questa quello quella questi queste quelli quelle ciò lo la li le ne ci esso essa essi loro lui lei"
    " allora lì stesso stessa altro altra entrambi",
    "nl": "het dat dit die deze hij zij ze hem haar hen hun er daar daarvoor daarvan daarmee daarna daarbij dan"
    " dezelfde hetzelfde ander andere beide",
    "no": "den det de dem dets deres denne dette disse der han hun ham henne så",
    "pt": "isso isto aquilo ele ela eles elas esse essa esses essas este esta estes estas lo la los las lhe lhes"
    " disso disto nisso ali então mesmo mesma outro outra ambos",
    "ro": "asta acesta aceasta acestea aceștia el ea ei ele îl o îi le lui lor acolo atunci același altul alta",
    "ru": "это этот эта эти этого этой этому этим этом этих он она оно они его её ее ему ей их им ими там тогда"
    " тот та те того той тому то же другой",
    "sv": "den det de dem dess deras denna detta dessa där han hon honom henne så",
    "tr": "bu bunu buna bunun bunlar o onu ona onun onlar şu orada aynı",
}
"""Words that stand for something that was said before, if not for something in the question itself."""

_ARTICLES = {
    "da": "den det de",
    "de": "das",
    "en": "that so one her his their its other such same",
    "es": "lo la los las este esta su sus",
    "fr": "ce l le la les leur leurs en",
    "hu": "az",
    "it": "lo la le li",
    "nl": "het die dat",
    "no": "den det de",
    "pt": "la lo los las este esta",
    "ro": "o",
    "ru": "то",
    "sv": "den det de",
    "tr": "bu o şu",
}
"""Those that also go with a noun, and stand for something only where none of the question's own words follows."""

_WORD = re.compile(r"\w+")
_FILLING = {
    "en": words_of(
        """need needs want take takes taken happens happen happened mean means long far often soon late early else okay
    ok apply applies true different difference possible case thing things way ways point
    second third last next detail details example examples exception exceptions condition conditions limit limits
    deadline deadlines form forms step steps form number price cost costs amount many rule rules still mandatory
    required tell say explain give list show summarise summarize translate shorten continue option options"""
    )
}
"""Words that say nothing of a question's subject when hardly another one does."""

_TO_DO = re.compile(
    r"\b(?:it|there)\b.*?\b(?:to|for|that|if)\s+\w+\s+\w+|\bthere\s+(?:is|are|was|were)?\s*(?:an?|any)?\b",
    re.I,
)
"""`Is it allowed to bring dogs`: it stands for what follows."""

_TIMES = re.compile(
    r"\b(?:this|that|these|those)\s+(?:year|month|week|quarter|morning|evening|time)s?\b", re.I
)


@lru_cache(maxsize=256)
def link_of(question: str) -> Link:
    """How `question` hangs together with what was asked before it in the same conversation."""
    text = unicodedata.normalize("NFKC", question).replace("’", "'").lstrip(" \t\n¿¡-–—…\"'")
    written = _WORD.findall(text)
    by_language = small_words(text, LANGUAGES)
    language = max(by_language, key=lambda code: (len(by_language[code]), code == DEFAULT))
    small = by_language[language] | _FILLING.get(language, frozenset())
    own = [word for word in written if word in CAPITALS or _folded(word) not in small]
    if len(own) <= OPENING and _opening(language).match(_folded(text)):
        return Link.CLEAR
    if len(own) <= FEW and _refers(_TIMES.sub(" ", text), language, small):
        return Link.CLEAR
    if not own:
        return Link.CLEAR
    return Link.MAYBE if len(own) <= SOME and len(own) < len(written) else Link.NONE


def read(question: str, before: Sequence[str]) -> Reading:
    """`before`: the questions asked in the conversation, oldest first. The one that the last of them goes on from is
    what all of them are about."""
    if not before or (link := link_of(question)) is Link.NONE:
        return Reading(Link.NONE, question)
    subject = next((text for text in reversed(before) if link_of(text) is not Link.CLEAR), before[0])
    return Reading(link, " ".join(dict.fromkeys((subject, before[-1], question))))


@lru_cache(maxsize=len(LANGUAGES))
def _opening(language: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{_folded(_OPENINGS.get(language) or '(?!)')})\b(?!-)")


@lru_cache(maxsize=len(LANGUAGES))
def _standing_for(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """Words that stand for something, and those of them that are articles, too."""
    of = (words.get(language, "") for words in (_REFERRING, _ARTICLES))
    referring, articles = (words_of(_folded(words)) for words in of)
    return referring, articles


def _folded(text: str) -> str:
    return text.translate(FOLDED).lower()


def _refers(text: str, language: str, small: frozenset[str]) -> bool:
    """Whether a word stands for something that the question does not say."""
    if language == DEFAULT and _TO_DO.search(text):
        return False
    words = [_folded(word) for word in _WORD.findall(text) if word not in CAPITALS]
    referring, articles = _standing_for(language)
    following: Sequence[str] = [*words[1:], ""]
    return any(
        word in referring and (word not in articles or not after or after in small)
        for word, after in zip(words, following, strict=True)
    )
