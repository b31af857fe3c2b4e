"""What a simulated model says: sentences quoted from the passages of the prompt with their [n], vectors of
hashed words, and scores by shared words. All of it depends on the request alone."""

import base64
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

FENCED = re.compile(r'<passage n="(\d+)"[^>]*>(.*?)</passage>', re.DOTALL)
NUMBERED = re.compile(r"^\s*\[(\d+)\][ \t]*(.*?)(?=^\s*\[\d+\]|\Z)", re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r"[^.!?\n]{12,}[.!?]?")
WORD = re.compile(r"\w+")
SILENT = "The documents do not say."
INVENTED = 97
LONGEST = 16
"""Words of a quoted sentence: even a short answer gets as far as its first citation."""

Vectors = npt.NDArray[np.float32]
Vectoriser = Callable[[Sequence[str]], Vectors]


def texts_of(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The text of each message, whether it is a string or a list of parts."""
    texts = []
    for message in messages:
        content = message.get("content") or ""
        texts.append(
            content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
        )
    return texts


def passages_of(messages: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """The numbered passages of a prompt: (n, text) of the message that has most of them.

    Passages are fenced, `<passage n="3" …>text</passage>`, or follow their number at the start of a line."""
    found = [
        [(int(n), body.strip()) for n, body in FENCED.findall(text) or NUMBERED.findall(text)]
        for text in texts_of(messages)
    ]
    return max(found, key=len, default=[])


def quoted(passages: Sequence[tuple[int, str]]) -> Iterator[str]:
    """Tokens without end: a sentence of each passage in turn, then its number, split as models split it."""
    sentences = [
        (n, [s.split() for s in SENTENCE.findall(body)] or [body.split() or ["nothing"]])
        for n, body in passages
    ]
    for turn in itertools.count():
        for n, options in sentences:
            for word in options[turn % len(options)][:LONGEST]:
                yield word + " "
            yield "["
            yield f"{n}]"
            yield ". " if turn % 3 else ".\n\n"


def answer(messages: Sequence[Mapping[str, Any]], tokens: int, *, invent: bool = False) -> list[str]:
    """The `tokens` tokens of the answer to a prompt; few when the prompt has no passages."""
    passages = passages_of(messages)
    if not passages:
        return [word + " " for word in SILENT.split()]
    made = [f"[{INVENTED}", "] "] if invent else []
    body = list(itertools.islice(quoted(passages), max(tokens - len(made), 1)))
    if body[-1] == "[":  # never end inside a citation
        body[-1] = "indeed"
    return made + body


def thoughts(tokens: int) -> list[str]:
    """What a simulated model says to itself, with a citation that nobody should see."""
    return list(itertools.islice(itertools.cycle(("Hmm, ", "perhaps ", "[1] ", "says ", "so. ")), tokens))


@lru_cache(maxsize=20_000)
def word_vector(word: str, dimensions: int) -> Vectors:
    """A unit vector in a direction of the word's own. Shape (dimensions,)."""
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
    vector = np.random.default_rng(seed).standard_normal(dimensions, dtype=np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def hashed(texts: Sequence[str], dimensions: int) -> Vectors:
    """Unit vectors whose cosine grows with the words that two texts share. Shape (texts, dimensions)."""
    rows = np.zeros((len(texts), dimensions), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in WORD.findall(text.lower()) or [""]:
            row += word_vector(word, dimensions)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows


def embeddings(vectors: Vectors, model: str, encoding: str) -> dict[str, Any]:
    """The response to an embeddings request; `encoding` is `float` or `base64`."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode()
            if encoding == "base64"
            else row.tolist(),
        }
        for index, row in enumerate(vectors)
    ]
    return {"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": 0, "total_tokens": 0}}


def reranked(query: str, documents: Sequence[str]) -> list[dict[str, Any]]:
    """Documents scored by the share of the query's words they hold, best first."""
    wanted = set(WORD.findall(query.lower()))
    scored = [
        {
            "index": index,
            "relevance_score": len(wanted & set(WORD.findall(text.lower()))) / max(len(wanted), 1),
        }
        for index, text in enumerate(documents)
    ]
    return sorted(scored, key=lambda item: (-item["relevance_score"], item["index"]))
