"""Finding a document by its name among those of a collection, in the state that is asked for."""

import unicodedata
from dataclasses import dataclass

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat
from django.http import QueryDict

from retrieval.models import Document

_MOST, _MOST_WORDS = 200, 10
_Status = Document.Status
STATES = {
    "ready": ("Ready", (_Status.READY,)),
    "under-way": ("Under way", (_Status.QUEUED, _Status.PARSING, _Status.EMBEDDING)),
    "failed": ("Failed", (_Status.FAILED,)),
}
"""What may be asked for -> what it is called, and the states that are meant."""


class Unaccented(Func):
    """The text without its accents; it needs no extension of Postgres."""

    template = r"regexp_replace(normalize(%(expressions)s, NFKD), '[\u0300-\u036f]', '', 'g')"
    output_field = TextField()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the library page is narrowed to: words of names and titles, and one of STATES; each may be empty."""

    text: str = ""
    state: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.state)

    def among(self, documents: QuerySet[Document]) -> QuerySet[Document]:
        """Those that have each of the words in their name or title, whatever its case and accents."""
        if self.state:
            documents = documents.filter(status__in=STATES[self.state][1])
        words = words_of(self.text)
        if not words:
            return documents
        shown = Concat(F("name"), Value("\n"), F("title"), output_field=TextField())
        has_all = Q()
        for word in words:
            has_all &= Q(shown__icontains=word)
        return documents.alias(shown=Unaccented(shown)).filter(has_all)


def text_wanted(query: QueryDict) -> str:
    return " ".join(query.get("q", "").replace("\0", " ").split())[:_MOST]


def words_of(text: str) -> list[str]:
    """To be looked for, one by one, in what is Unaccented."""
    return _unaccented(text).split()[:_MOST_WORDS]


def wanted(query: QueryDict) -> Wanted:
    """As an address asks for it, which may be typed by hand; Postgres takes no null character."""
    text = text_wanted(query)
    state = query.get("state", "")
    return Wanted(text, state if state in STATES else "")


def _unaccented(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not "\u0300" <= char <= "\u036f")
