"""After each operation: what each user finds, sees and may fetch is what the model says, no more and no less."""

import asyncio
from typing import Any

from retrieval.models import Chunk
from tests.integration.permissions.company import Company
from tests.integration.permissions.model import KEEPER, ROOT, SHARED, USERS, Document, Model

MOST = 100


def check(company: Company) -> None:
    """Every user's searches and answers, and pages of some documents each time, others the next."""
    company.checks += 1
    homes = dict(Chunk.objects.values_list("pk", "document_id"))
    for user in USERS:
        company.process.call(searches(company, user, homes))
        company.ask(user, *company.focus, typed=False)
        company.process.call(downloads(company, user, turn(company, user, 0)))
        states(company, user, turn(company, user, 1))
        pages(company, user, turn(company, user, 2))
    conversations(company, USERS[company.checks % 4])
    library(company, KEEPER if company.checks % 2 else ROOT)
    for user in USERS:
        company.process.call(runs(company, user))


def turn(company: Company, user: str, what: int) -> list[Document]:
    """One in four of the documents, whose turn it is for this user."""
    now = company.checks + USERS.index(user) + what
    return [each for each in company.model.documents if (each.number + now) % 4 == 0]


async def searches(company: Company, user: str, homes: dict[int, Any]) -> None:
    """Each leg, as it is and as questions are searched with it, and both of them fused."""
    built, reader, model = company.built, company.readers[user], company.model
    expected = {company.rows[each.number] for each in model.searchable(user)}
    scope = await built.store.scope(reader.row.pk)
    assert scope.collection_ids == {company.collections[name].pk for name in model.collections(user)}
    vector = await built.legs.embedder.embed_query(SHARED, timeout=5)
    found = await asyncio.gather(
        built.legs.lexical.search(SHARED, scope, MOST),
        built.parts.lexical.search(SHARED, scope, MOST),
        built.legs.vectors.search(vector, scope, MOST, timeout=5),
        built.parts.vectors.search(vector, scope, MOST, timeout=5),
    )
    for ranking in found:
        assert {homes[chunk] for chunk in ranking.chunks} == expected, f"{user}, {ranking.leg}"
    path = f"/api/v1/search?q={SHARED}&k={MOST}"
    response = await reader.http.get(path, headers=reader.token)
    assert response.status_code == (401 if user in model.off else 200)
    assert model.told(response.content.decode()) == model.secrets(user), user


def pages(company: Company, user: str, documents: list[Document]) -> None:
    model, browser = company.model, company.readers[user].browser
    for document in documents:
        response = browser.get(f"/d/{company.rows[document.number]}/")
        assert response.status_code == reachable(model, user, document, off=302)
        if response.status_code == 200:
            own = set() if document.published is None else {document.secret(document.published)}
            assert model.told(response.content.decode()) == own


def conversations(company: Company, user: str) -> None:
    """The first page with its suggestions, and the last of the user's conversations."""
    model, browser = company.model, company.readers[user].browser
    assert model.told(browser.get("/").content.decode()) <= model.secrets(user)
    asked = next((each for each in reversed(company.asked) if each.user == user), None)
    if asked is not None:
        response = browser.get(f"/c/{asked.conversation}/")
        assert response.status_code == (302 if user in model.off else 200)
        assert model.told(response.content.decode()) <= model.secrets(user, old=True)


def reachable(model: Model, user: str, document: Document, *, off: int) -> int:
    if user in model.off:
        return off
    return 200 if model.reads(user, document) else 404


def states(company: Company, user: str, documents: list[Document]) -> None:
    """What those are told who may follow a document."""
    model, http = company.model, company.http(user)
    for document in documents:
        status = http.get(f"/api/v1/documents/{company.rows[document.number]}").status_code
        assert status == (401 if user in model.off else 200 if model.follows(user, document) else 404)


def library(company: Company, user: str) -> None:
    """The collections, their counts and the documents' titles, for those who keep the library."""
    model = company.model
    response = company.readers[user].browser.get("/library/")
    if user in model.off:
        assert response.status_code == 302
        return
    followed = [each for each in model.there if model.follows(user, each)]
    counts = {each.name: each.counted for each in response.context["collections"]}
    named = model.collections(user) | {each.collection for each in followed}
    assert counts == {name: sum(each.collection == name for each in followed) for name in named}
    assert model.told(response.content.decode()) <= {
        each.secret(each.published) for each in followed if each.published is not None
    }


async def downloads(company: Company, user: str, documents: list[Document]) -> None:
    model, http = company.model, company.readers[user].http
    for document in documents:
        response = await http.get(f"/d/{company.rows[document.number]}/file")
        assert response.status_code == reachable(model, user, document, off=302)
        if response.status_code == 200:
            body = b"".join([piece async for piece in response.streaming_content]).decode()
            version = document.newest if document.published is None else document.published
            assert body == document.text(version)


async def runs(company: Company, user: str) -> None:
    """An answer is given again only to who asked, and only while all that it showed may be read."""
    model, reader = company.model, company.readers[user]
    readable = {company.rows[each.number] for each in model.there if model.reads(user, each)}
    for asked in company.asked[-8:-4]:  # those of this very check may still be on their way into the store
        await company.built.runs.settled(asked.run)
        response = await reader.http.get(f"/api/v1/runs/{asked.run}", headers=reader.token)
        if user in model.off:
            assert response.status_code == 401
        else:
            mine = asked.user == user and asked.shown <= readable
            assert response.status_code == (200 if mine else 404), (asked.user == user, asked.shown)
            assert mine or not model.told(response.content.decode())
