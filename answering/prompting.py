"""Passages and conversation -> trimmed messages."""

from collections.abc import Sequence

from answering import prompt
from answering.messages import Message
from answering.reply import Numbered
from answering.store import History
from retrieval import dedupe, sentences

SHARE = 0.6
"""How much of the passages' text a prompt keeps."""


class Prompts:
    """Builds prompts, on the event loop: the sentences have their scores already from being marked, and to choose
    among them takes a third of a millisecond, which is less than the way to a thread and back."""

    async def trimmed(
        self, question: str, passages: Numbered, history: History, *, sought: str = ""
    ) -> Sequence[Message]:
        """The prompt with the sentences left out that matter least to `sought`, else to the question."""
        texts = [passage.text for _, passage in passages]
        context = sentences.Context.of([passage for _, passage in passages])
        kept = sentences.trim(sought or question, texts, context, share=SHARE)
        return _build(question, passages, kept, history)

    def whole(self, question: str, passages: Numbered, history: History) -> Sequence[Message]:
        return _build(question, passages, [passage.text for _, passage in passages], history)


def _build(question: str, passages: Numbered, texts: Sequence[str], history: History) -> Sequence[Message]:
    # A passage of which trimming left nothing would be a number to cite and no reason to.
    numbered = [(n, passage, text) for (n, passage), text in zip(passages, texts, strict=True) if text]
    # Neighbours of one document stand together in its order: the model reads on where the document does.
    joined = [passage for run in dedupe.runs([passage for _, passage in passages]) for passage in run]
    order = {passage.chunk: place for place, passage in enumerate(joined)}
    numbered.sort(key=lambda one: order.get(one[1].chunk, len(order)))
    return prompt.build(
        question, numbered, turns=history.turns, summary=history.summary, profile=history.profile
    )
