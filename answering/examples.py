"""Questions to begin with, made from what the reader's own documents have headings for."""

import re
from collections.abc import Iterable

from django.db import connection

from retrieval.access import AccessScope
from retrieval.models import Chunk, Document

SHOWN = 4
DOCUMENTS = 12
PLAIN = re.compile(r"^[^\W\d_][\w ,&'’()/-]{5,58}$")
NUMBERED = re.compile(r"^(?:sheet|slide|page|part|chapter|section|table) ?\d+$", re.I)
DULL = {
    "introduction", "overview", "summary", "contents", "table of contents", "appendix", "references",
    "background", "purpose", "scope", "general", "definitions",
}  # fmt: skip


def question(title: str, heading: str) -> str:
    """A question that a section with this path of headings answers; empty where none can be made."""
    topic = heading.rpartition("›")[2].strip()
    if topic.endswith("?") and 12 <= len(topic) <= 90:
        return topic
    if not PLAIN.match(topic) or topic.lower() in DULL or topic.lower() in title.lower():
        return ""
    if NUMBERED.match(topic) or 4 * sum(map(str.isdigit, topic)) > len(topic):
        return ""
    return f"What does “{title}” say about {_in_a_sentence(topic)}?"


def _in_a_sentence(topic: str) -> str:
    """Without the capital of a heading; names and titles (`Michael Bali`, `IT security`) keep theirs."""
    return topic if any(letter.isupper() for letter in topic[1:]) else topic[0].lower() + topic[1:]


# The newest of each collection are found by an index, of which there is one for each; of all, only by looking at all.
_NEWEST = f"""
    SELECT d.id FROM unnest(%s::bigint[]) AS c (id) CROSS JOIN LATERAL (
        SELECT id, ready_at FROM retrieval_document
        WHERE collection_id = c.id AND status = 'ready' AND ready_at IS NOT NULL
        ORDER BY ready_at DESC LIMIT {DOCUMENTS}) d
    ORDER BY d.ready_at DESC LIMIT {DOCUMENTS}
"""


def newest(scope: AccessScope) -> list[Document]:
    """The readable documents that became ready last."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [list(scope.collection_ids)])
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Document.objects.filter(pk__in=ids, collection__scratch=False).order_by("-ready_at"))


def examples(scope: AccessScope) -> list[str]:
    """At most SHOWN questions over the newest readable documents, of as many documents as there are."""
    if not scope:
        return []
    titles = {document.id: str(document) for document in newest(scope)}
    rows = Chunk.objects.filter(document_id__in=titles, ordinal__lt=40).exclude(heading="")
    made: dict[str, list[str]] = {}
    for document, heading in rows.order_by("ordinal").values_list("document_id", "heading"):
        asked = question(titles[document], heading)
        if asked and asked not in made.setdefault(str(document), []):
            made[str(document)].append(asked)
    return _in_turn(made.values())[:SHOWN]


def _in_turn(groups: Iterable[list[str]]) -> list[str]:
    """One of each group, then the next of each; none twice."""
    groups = list(groups)
    longest = max(map(len, groups), default=0)
    return list(dict.fromkeys(group[i] for i in range(longest) for group in groups if i < len(group)))
