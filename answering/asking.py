"""What a client may send, checked: the socket and the HTTP interface take the same questions."""

import uuid
from collections.abc import Mapping
from typing import Any

from answering.errors import BadQuestion
from answering.store import Ask

LONGEST = 4000
"""Characters of a question."""

COLLECTIONS_MOST = 100


def uuid_field(body: Mapping[str, Any], name: str) -> str:
    """A UUID in its usual form. Raises BadQuestion."""
    try:
        return str(uuid.UUID(str(body.get(name))))
    except ValueError:
        raise BadQuestion(f"`{name}` must be a UUID.") from None


def storable(text: str) -> str:
    """`text` as UTF-8 and Postgres can hold it: NUL and lone surrogates pass through JSON, but not through them."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def question_text(body: Mapping[str, Any], name: str = "question") -> str:
    """The text, without NUL and surrounding blanks. Raises BadQuestion where it is missing, empty or too long."""
    value = body.get(name)
    text = storable(value).strip() if isinstance(value, str) else ""
    if not text:
        raise BadQuestion(f"`{name}` must be a text that is not empty.")
    if len(text) > LONGEST:
        raise BadQuestion(f"`{name}` has {len(text)} characters; at most {LONGEST} are answered.")
    return text


def collections_field(body: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = body.get("collections")
    if value is None:
        return None
    if (
        not isinstance(value, list)
        or len(value) > COLLECTIONS_MOST
        or not all(isinstance(s, str) for s in value)
    ):
        raise BadQuestion("`collections` must be a list of slugs, or null for all that you may read.")
    return tuple(storable(slug) for slug in value)


def read_ask(body: Mapping[str, Any], user: int, priority: str) -> Ask:
    """An `ask` of the socket or of POST ask. Raises BadQuestion, naming the field."""
    fresh = body.get("fresh") or False
    if not isinstance(fresh, bool):
        raise BadQuestion("`fresh` must be true or false.")
    return Ask(
        run=uuid_field(body, "id"),
        user=user,
        text=question_text(body),
        conversation=uuid_field(body, "conversation") if body.get("conversation") is not None else None,
        collections=collections_field(body),
        fresh=fresh,
        priority=priority,
    )
