"""A question -> the digests that find its cached answer. Pure. Tables and logs hold these and never its
words."""

import re
from dataclasses import dataclass
from itertools import pairwise

from answering.caches.normalise import Signature, digest, normal, signature, words_of
from retrieval.access import AccessScope

# An answer to these is another one tomorrow.
_TODAY = words_of(
    """today tonight tomorrow yesterday now currently nowadays heute morgen gestern jetzt derzeit demain maintenant
    aujourd'hui hoy ahora ayer mañana oggi domani adesso ieri vandaag gisteren hoje agora amanhã ontem"""
)
_NEAR = words_of("this last next coming current")
_SPAN = words_of(
    """day week weekend month quarter year morning afternoon evening
    monday tuesday wednesday thursday friday saturday sunday"""
)
# Without them two questions may be alike; with one more or less they are not.
_DECIDING = words_of(
    """not no never without except unless only before after until more less than over under above below
    minimum maximum least most first last all any
    nicht kein keine keinen keinem keiner ohne nie niemals ausser pas aucun aucune jamais sans sin ni nunca ninguna
    ningún non mai senza nessun nessuna niet geen zonder nooit não nem sem nenhum nenhuma"""
)
_COMMON = words_of(
    """a i we you he she it they me us my our your their his her its is are am was were be been do does did
    have has had can could may might must shall should will would of to in on at by for from with and or if as
    that this these those there get what how many much who where when why which whom whose about"""
)
_FIGURE = re.compile(r".*\d")


@dataclass(frozen=True, slots=True)
class Keys:
    """`key` is of all words in their order, `exact` of the text; `family` of what must agree for two
    questions to be similar, and `words` are digests of the rest."""

    key: str
    exact: str
    family: str
    words: tuple[int, ...]


def keys(question: str, scope: AccessScope, variant: str) -> Keys | None:
    """None where nothing may be kept: an empty question or scope, or one whose answer depends on the day."""
    said = signature(question)
    if not said or not scope or _of_the_day(said):
        return None
    deciding = sorted(word for word in said if word in _DECIDING or _FIGURE.match(word))
    content = {word for word in said if word not in _COMMON and word not in deciding}
    return Keys(
        key=digest("same", scope.key, variant, *said).hex(),
        exact=digest("exact", normal(question)).hex(),
        family=digest("similar", scope.key, variant, *deciding).hex(),
        words=tuple(sorted(_number(word) for word in content)),
    )


def _of_the_day(said: Signature) -> bool:
    if not _TODAY.isdisjoint(said):
        return True
    return any(one in _NEAR and other in _SPAN for one, other in pairwise(said))


def _number(word: str) -> int:
    return int.from_bytes(digest(word)[:8], signed=True)
