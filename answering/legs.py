"""The two legs of the search, as what asks them sees them."""

from collections.abc import Sequence
from typing import Protocol

from retrieval.access import AccessScope
from retrieval.embeddings import Vector
from retrieval.passages import Ranking


class Lexical(Protocol):
    async def search(self, query: str, scope: AccessScope, k: int) -> Ranking: ...


class Vectors(Protocol):
    async def search(
        self, vector: Vector, scope: AccessScope, k: int, *, timeout: float, near: Sequence[int] = ()
    ) -> Ranking: ...


class LexicalAhead(Lexical, Protocol):
    """May be asked ahead of a question, too: then it is not `asked`, and not counted."""

    async def search(self, query: str, scope: AccessScope, k: int, *, asked: bool = True) -> Ranking: ...


class VectorsAhead(Vectors, Protocol):
    """The same by meaning."""

    async def search(
        self,
        vector: Vector,
        scope: AccessScope,
        k: int,
        *,
        timeout: float,
        near: Sequence[int] = (),
        asked: bool = True,
    ) -> Ranking: ...
