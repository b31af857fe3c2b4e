"""Who may read what, kept in plain dicts and sets: what the whole application must agree with, always."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

ROOT, KEEPER, ANNE, BERT = USERS = ("root", "keeper", "anne", "bert")
"""A superuser, a librarian and two readers."""

GROUPS = ("red", "green", "blue")
SHARED = "regulation"
"""A word that every document has, and no other word is in two of them."""


def word(*names: object) -> str:
    """A made-up word, of syllables that no stemmer shortens and no other text has."""
    drawn = hashlib.blake2b("/".join(map(str, names)).encode(), digest_size=5).digest()
    return "".join("bdfgklmnprtvz"[byte % 13] + "aou"[byte % 3] for byte in drawn) + "k"


@dataclass
class Document:
    """`by` is who added, replaced or moved it last; `topic` is asked about; the secret of each version is never in a
    question, so who has it has read it."""

    number: int
    collection: str
    by: str
    newest: int = 0
    published: int | None = None
    gone: bool = False

    @property
    def topic(self) -> str:
        return word("topic", self.number)

    def secret(self, version: int) -> str:
        return word("secret", self.number, version)

    def text(self, version: int) -> str:
        secret = self.secret(version)
        others = " ".join(word("filler", self.number, version, place) for place in range(12))
        return (
            f"# The {secret} paper\n\n## Terms of {secret}\n\n"
            f"The {SHARED} of {self.topic} says {secret}. Beside it there are {others}.\n"
        )


class Model:
    def __init__(self) -> None:
        self.groups: dict[str, set[str]] = {user: set() for user in USERS}
        self.off: set[str] = set()
        self.readers: dict[str, set[str]] = {}
        self.documents: list[Document] = []

    @property
    def there(self) -> list[Document]:
        return [document for document in self.documents if not document.gone]

    def collections(self, user: str) -> set[str]:
        """Those whose documents the user may read."""
        if user in self.off:
            return set()
        return {name for name, groups in self.readers.items() if user == ROOT or groups & self.groups[user]}

    def reads(self, user: str, document: Document) -> bool:
        return not document.gone and document.collection in self.collections(user)

    def follows(self, user: str, document: Document) -> bool:
        """May see the state of, which is more: also of what nobody else has touched since."""
        return (
            not document.gone and user not in self.off and (self.reads(user, document) or document.by == user)
        )

    def keeps(self, user: str, document: Document) -> bool:
        """May replace, move and delete."""
        return user in (ROOT, KEEPER) and self.reads(user, document)

    def may_add(self, user: str, collection: str) -> bool:
        return user in (ROOT, KEEPER) and collection in self.collections(user)

    def searchable(self, user: str) -> list[Document]:
        return [each for each in self.there if each.published is not None and self.reads(user, each)]

    def secrets(self, user: str, *, old: bool = False) -> set[str]:
        """Those the user may come across; with `old`, of earlier versions, too."""
        return {
            document.secret(version)
            for document in self.searchable(user)
            for version in (range(document.newest + 1) if old else [document.published])
        }

    def all_secrets(self) -> Iterator[str]:
        for document in self.documents:
            yield from map(document.secret, range(document.newest + 1))

    def told(self, text: str) -> set[str]:
        """The secrets that a text holds."""
        return {secret for secret in self.all_secrets() if secret in text}
