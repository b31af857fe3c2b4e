"""Questions to begin with, made from what the reader's own documents have headings for."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db import connection

from answering.extractive import extract
from retrieval import evidence
from retrieval.access import AccessScope
from retrieval.lexical.analysis import query_terms, terms, weighted
from retrieval.lexical.bm25 import LuceneBM25
from retrieval.lexical.language import language_of
from retrieval.models import Chunk, Document
from retrieval.passages import Hit, Passage, Ranking

SHOWN = 4
PARTS = 40  # of a document, from its beginning, that are asked about
DOCUMENTS = 12
BEGINNING = 300  # characters of a part, by which its document's language is told
SECTION = re.compile(r"^(?:§ ?)?\d+(?:\.\d+)*[.)]?\s+(?=\D)")
FRAMES = {
    "en": "What does “{title}” say about {topic}?",
    "de": "Was steht in „{title}“ zu {topic}?",
    "es": "¿Qué dice «{title}» sobre {topic}?",
    "fr": "Que dit « {title} » sur {topic} ?",
    "it": "Che cosa dice «{title}» su {topic}?",
    "nl": "Wat staat er in “{title}” over {topic}?",
    "pt": "O que diz “{title}” sobre {topic}?",
}
AS_WRITTEN = {"de"}  # nouns have capitals
PLAIN = re.compile(r"^[^\W\d_][\w ,&'’()/-]{5,58}$")
NUMBERED = re.compile(r"^(?:sheet|slide|page|part|chapter|section|table) ?\d+$", re.I)
DULL = {
    "introduction", "overview", "summary", "contents", "table of contents", "appendix", "references",
    "background", "purpose", "scope", "general", "definitions",
}  # fmt: skip


def question(title: str, heading: str, language: str = "en") -> str:
    """A question that a section with this path of headings answers, in the language of its document; empty where none
    can be made."""
    topic = SECTION.sub("", heading.rpartition("›")[2].strip())
    if topic.endswith("?") and 12 <= len(topic) <= 90:
        return topic
    if not PLAIN.match(topic) or topic.lower() in DULL or topic.lower() in title.lower():
        return ""
    if NUMBERED.match(topic) or 4 * sum(map(str.isdigit, topic)) > len(topic):
        return ""
    topic = topic[6:] if topic.lower().startswith("about ") else topic
    frame = FRAMES.get(language, "{title}: {topic}")
    return frame.format(title=title, topic=topic if language in AS_WRITTEN else _in_a_sentence(topic))


def _in_a_sentence(topic: str) -> str:
    """Without the capital of a heading; names and titles (`Michael Bali`, `IT security`) keep theirs."""
    return topic if any(letter.isupper() for letter in topic[1:]) else topic[0].lower() + topic[1:]


def answered(asked: str, part: Passage, found: Sequence[Passage]) -> bool:
    """Whether, of what is found in its document, this part is quoted first, and its words are evidence enough even in
    the largest library."""
    cited = re.search(r"\[(\d+)\]$", extract(asked, list(enumerate(found, 1)), most=1))
    crowded = Ranking("lexical", (Hit(part.chunk, 1.0),) * evidence.DEPTH)
    return (
        cited is not None
        and found[int(cited[1]) - 1].heading == part.heading
        and evidence.answerability(asked, [part], crowded, None) >= evidence.THRESHOLD
    )


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
    found = Document.objects.filter(pk__in=ids, collection__scratch=False).select_related("collection")
    return list(found.order_by("-ready_at"))


def examples(scope: AccessScope) -> list[str]:
    """At most SHOWN questions over the newest readable documents, of as many documents as there are."""
    made: list[tuple[str, ...]] = []
    for document in newest(scope) if scope else []:
        asked = _of(document.id, document.ready_at, str(document), json.dumps(document.collection.languages))
        made += [asked] if asked else []
        if len(made) == SHOWN:
            break
    return _in_turn(made)[:SHOWN]


@lru_cache(maxsize=256)
def _of(document: UUID, ready_at: datetime, title: str, languages: str) -> tuple[str, ...]:
    """Questions that parts of this version of a document answer."""
    rows = Chunk.objects.filter(document_id=document, ordinal__lt=PARTS).order_by("ordinal")
    parts = [
        Passage(
            row.id, str(document), "", row.collection_id, title, row.heading, row.page, row.ordinal, row.text,
            row.content_hash, 0.0, languages,
        )
        for row in rows
    ]  # fmt: skip
    language = language_of(" ".join(part.text[:BEGINNING] for part in parts), json.loads(languages))
    search = LuceneBM25(
        [terms(weighted(title, part.heading, part.text), language) for part in parts] or [[""]]
    )
    offered: dict[str, None] = {}
    for part in parts:
        asked = question(title, part.heading, language) if part.heading else ""
        if asked and len(offered) < SHOWN:
            scores = search.get_scores(query_terms(asked, language)).tolist()
            best = sorted(range(len(parts)), key=lambda at: -scores[at])[: evidence.PASSAGES]
            found = [replace(parts[at], score=scores[at]) for at in best]
            offered |= {asked: None} if answered(asked, part, found) else {}
    return tuple(offered)


def _in_turn(groups: Sequence[Sequence[str]]) -> list[str]:
    """One of each group, then the next of each; none twice."""
    longest = max(map(len, groups), default=0)
    return list(dict.fromkeys(group[i] for i in range(longest) for group in groups if i < len(group)))
