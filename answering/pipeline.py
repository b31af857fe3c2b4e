"""A question's way: what runs beside what, with which budget, giving way to what. Read it from `answer` down.

Whatever does not wait for something else starts at once. Time to the first token is the critical path,
max(lexical, embed + vector) + model. Whatever fails gives way to the next best, and the answer says so:
both legs -> one leg; model -> other upstream -> similar cached answer -> extract; else a clear refusal."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from functools import partial

from answering.caches.answer import CachedAnswer
from answering.errors import SearchUnavailable, StreamCut
from answering.evidence import Found
from answering.extractive import extract
from answering.messages import Message
from answering.parts import Parts
from answering.prefetch import Extras
from answering.reply import Reply
from answering.reranking import reranked
from answering.searches import Leg, Legs, in_context
from answering.stages import Run, cancel
from answering.store import History
from retrieval.evidence import says
from retrieval.passages import Passage, Ranking
from retrieval.vectors import so_far

CANDIDATES = 100
"""Chunks that each leg gives to the fusion."""

GRACE = 0.08
"""Seconds that sources found by words wait for those found by meaning: nobody sees it, and most answers then show their
sources once, best first, instead of twice."""

CACHE_BUDGET = 0.1
"""Seconds. A look-up that takes longer is no shortcut."""


async def answer(run: Run, reply: Reply, parts: Parts) -> str:
    """Answers into `reply` and returns how it finished. Raises Refusal where nothing useful can be said."""
    if reply.shown:
        return await go_on(run, reply, parts)
    async with asyncio.TaskGroup() as beside:
        legs = search_both(beside, run, parts, run.question.text)
        history = beside.create_task(conversation(run, parts))
        extras = Extras()
        sources = beside.create_task(parts.sources.gather(run, history, extras))
        cached = beside.create_task(from_cache(run, parts, legs.words))
        usable = beside.create_task(keep_usable(run, reply, parts))
        try:
            if (hit := await cached) is not None:
                return reply.recall(hit)
            if not run.question.opens:
                legs = in_context(run, legs, await history, partial(search_both, beside, run, parts))
            if not await cite(run, reply, parts, legs, extras):
                return reply.refuse()
            return await generate(run, reply, parts, await history)
        finally:
            cancel(legs.words, legs.meaning, history, sources, cached, usable)


async def go_on(run: Run, reply: Reply, parts: Parts) -> str:
    """Answers a run of a process that died after it had sent the sources: from these, and again."""
    chunks = [chunk for _, chunk in reply.shown]
    limit = parts.budgets.usable  # nothing takes their place
    work = lambda: parts.chooser.again(chunks, run.question.scope, timeout=limit)  # noqa: E731
    reply.keep(await run.stage("passages", work, budget=limit, fallback=()))
    if not reply.passages:
        raise SearchUnavailable
    return await generate(run, reply, parts, await conversation(run, parts))


def search_both(beside: asyncio.TaskGroup, run: Run, parts: Parts, text: str) -> Legs:
    words = beside.create_task(by_words(run, parts, text))
    return Legs(text, words, beside.create_task(by_meaning(run, parts, text, words)))


async def by_words(run: Run, parts: Parts, text: str, budget: float = 0.0) -> Ranking | None:
    return await run.stage(
        "lexical",
        lambda: parts.lexical.search(text, run.question.scope, CANDIDATES),
        budget=budget or parts.budgets.lexical,
        breaker=parts.breakers.lexical,
        fallback=None,
    )


async def by_meaning(run: Run, parts: Parts, text: str, words: Leg) -> Ranking | None:
    vector = await run.stage(
        "embed",
        lambda: parts.embed(text, run.deadline.capped(parts.budgets.embed)),
        budget=parts.budgets.embed,
        breaker=parts.breakers.embedder,
        fallback=None,
    )
    if vector is None:
        return None
    return await run.stage(
        "vector",
        lambda: parts.vectors.search(
            vector, run.question.scope, CANDIDATES, timeout=parts.budgets.vector, near=so_far(words)
        ),
        budget=parts.budgets.vector,
        breaker=parts.breakers.vectors,
        fallback=None,
    )


async def conversation(run: Run, parts: Parts) -> History:
    work = lambda: parts.store.history(run.question)  # noqa: E731
    return await run.stage("conversation", work, budget=parts.budgets.context, fallback=History(), quiet=True)


async def from_cache(run: Run, parts: Parts, words: Leg) -> CachedAnswer | None:
    if run.question.fresh:
        return None
    work = lambda: parts.answers.find(run.question, words)  # noqa: E731
    return await run.stage(
        "cache", work, budget=CACHE_BUDGET, breaker=parts.breakers.cache, fallback=None, quiet=True
    )


async def cite(run: Run, reply: Reply, parts: Parts, legs: Legs, extras: Extras) -> bool:
    """Sends the sources; false where they answer nothing."""
    found = await find(run, reply, parts, legs, extras)
    if not found.answerable and legs.instead is not None:
        with suppress(SearchUnavailable):
            joined = await find(run, reply, parts, legs.instead(), extras, ahead=False)
            if joined.answerable and says(legs.text, joined.passages):
                found = joined
    reply.cite(found, final=True)
    parts.sources.settle(extras, (passage.chunk for passage in found.passages))
    return found.answerable


async def find(
    run: Run, reply: Reply, parts: Parts, legs: Legs, extras: Extras, *, ahead: bool = True
) -> Found:
    """The sources; shows those found by words `ahead` where meaning takes its time."""
    read, early = dict[int, Passage](), None
    words = await legs.words
    if words:
        await asyncio.wait({legs.meaning}, timeout=GRACE)
    if words and not legs.meaning.done():
        first = await choose(run, reply, parts, legs.text, words, None, (), read)
        early = first if first is not None and first.answerable else None
        if ahead and early is not None and not legs.meaning.done():
            reply.cite(early, final=False)
    meaning = await legs.meaning
    if words is None and meaning is None and run.behind():  # the index is here, and it was us who were late
        words = await by_words(run, parts, legs.text, reply.patience(parts.budgets))
    if words is None and meaning is None:
        raise SearchUnavailable
    found = await choose(run, reply, parts, legs.text, words, meaning, extras, read) or early
    if found is None:
        raise SearchUnavailable
    if parts.reranker is not None:
        found = await reranked(run, parts, legs.text, words, meaning, extras, read, found)
    return found


async def choose(
    run: Run,
    reply: Reply,
    parts: Parts,
    text: str,
    words: Ranking | None,
    meaning: Ranking | None,
    extra: Sequence[int],
    read: dict[int, Passage],
) -> Found | None:
    scope, limit = run.question.scope, reply.patience(parts.budgets)
    work = lambda: parts.chooser.choose(text, scope, words, meaning, extra, read, timeout=limit)  # noqa: E731
    return await run.stage("passages", work, budget=limit, breaker=parts.breakers.passages, fallback=None)


async def keep_usable(run: Run, reply: Reply, parts: Parts) -> None:
    """Shows an extract, marked provisional, where no word has come within the budget of a usable answer."""
    await asyncio.sleep(parts.budgets.usable - run.elapsed())
    await reply.citable.wait()
    if not reply.text and (text := extract(run.sought, reply.passages)):
        run.give_up(
            "provisional_extract", "The model takes its time. Until it answers, this is what the sources say."
        )
        reply.offer(text)


async def generate(run: Run, reply: Reply, parts: Parts, history: History) -> str:
    """The model's answer to the cited passages; what there is of it, or an extract, where it gives none."""
    if parts.generator is None:
        return reply.quote()
    messages = await run.stage(
        "context",
        lambda: parts.prompts.trimmed(run.question.text, reply.passages, history, sought=run.sought),
        budget=parts.budgets.context,
        fallback=None,
    ) or parts.prompts.whole(run.question.text, reply.passages, history)
    finish = await run.stage("generate", lambda: stream(run, reply, parts, messages), fallback="failed")
    if finish != "failed":
        return finish
    if reply.told:
        return "partial"
    similar = await parts.answers.similar(run.question)
    if similar and reply.recall_similar(similar):
        run.give_up(
            "similar_answer", "No model answers; this is the answer to a similar question, asked before."
        )
        return "cached"
    return reply.quote()


async def stream(run: Run, reply: Reply, parts: Parts, messages: Sequence[Message]) -> str:
    begun = run.elapsed()
    assert parts.generator is not None
    tokens = parts.generator.stream(
        messages,
        deadline=run.deadline,
        first_token=parts.budgets.first_token,
        token_gap=parts.budgets.token_gap,
        priority=run.question.priority,
        request_id=run.question.run,
        on_notice=run.give_up,
    )
    try:
        async with aclosing(parts.pace(tokens)) as paced:
            async for token in paced:
                if "token" not in run.marks:
                    run.record("first_token", begun, "ok")
                reply.token(token.text, restart=token.restart)
    except StreamCut:
        run.give_up("stream_cut", "The model broke off; this is what it had said.")
        reply.flush()
        return "partial" if reply.told else "failed"
    return reply.finish()
