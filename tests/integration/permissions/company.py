"""The real application under the model: Postgres, ingestion, the follower, both searches, a process that answers, the
pages and the HTTP interface. What the model says is compared with what each of them gives."""

import asyncio
import itertools
import json
import threading
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient, Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from answering import tokens
from answering.upstream import SimulatedUpstream
from answering.wiring import Wiring
from retrieval.access import AccessScope, scope_for
from retrieval.ingestion.indexing import index_document
from retrieval.models import Collection
from retrieval.permissions import LIBRARIANS
from tests.integration.asking import an_ask, of, process
from tests.integration.permissions.model import GROUPS, KEEPER, ROOT, SHARED, USERS, Document, Model

WORDINGS = (
    "What does the {1} say, or that of {0}?",
    "Compare the {1} of {0} with the other {1}",
    "Which {1} is the newest about {0}?",
)
_names = itertools.count()
_A_MINUTE_PASSES = """
    UPDATE retrieval_document SET changed_at = changed_at - interval '1 minute';
    UPDATE answering_cachedanswer SET asked_at = asked_at - interval '1 minute'
"""


@dataclass
class Process:
    """A process with its event loop, in a thread of its own as in a server."""

    loop: asyncio.AbstractEventLoop
    model: SimulatedUpstream
    built: Wiring

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


@contextmanager
def running(settings: Any, folder: Path) -> Iterator[Process]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack = AsyncExitStack()

    async def start() -> Process:
        model = SimulatedUpstream(first_token="fixed:0", token_gap="fixed:0", tokens=20)
        await stack.enter_async_context(model)
        return Process(loop, model, await stack.enter_async_context(process(settings, folder, model)))

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Asked:
    """A run as its asker saw it: the documents shown, and the secrets in it."""

    run: str
    user: str
    conversation: str
    shown: set[uuid.UUID]


@dataclass
class Reader:
    """A user with a browser and a token."""

    row: User
    token: dict[str, str]
    browser: Client
    http: AsyncClient
    scope: AccessScope = field(default_factory=lambda: AccessScope(frozenset()))
    """As it was when the user last typed: a socket remembers it for a while."""


class Company:
    """One library with its readers. Every operation is done to the application and to `model` alike."""

    def __init__(self, process: Process) -> None:
        self.process, self.built, self.model = process, process.built, Model()
        self.number = next(_names)
        self.groups = {name: Group.objects.create(name=f"{name} {self.number}") for name in GROUPS}
        self.readers = {name: self._reader(name) for name in USERS}
        self.readers[KEEPER].row.groups.add(Group.objects.get(name=LIBRARIANS))
        self.collections: dict[str, Collection] = {}
        self.rows: dict[int, uuid.UUID] = {}
        self.asked: list[Asked] = []
        self.focus: tuple[Document, str]
        """What everybody is to ask about: the document last touched, or the question last asked."""
        self.cached = self.checks = 0

    def _reader(self, name: str) -> Reader:
        row = User.objects.create_user(f"{name} {self.number}", is_superuser=name == ROOT)
        browser = Client()
        browser.force_login(row)
        http = AsyncClient()
        http.cookies = browser.cookies
        return Reader(row, {"Authorization": f"Bearer {tokens.create(row)}"}, browser, http)

    def close(self) -> None:
        Collection.objects.filter(pk__in=[each.pk for each in self.collections.values()]).delete()
        User.objects.filter(pk__in=[each.row.pk for each in self.readers.values()]).delete()
        Group.objects.filter(pk__in=[each.pk for each in self.groups.values()]).delete()

    # ---- what is done

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Around what changes what is searchable: time passes, and the index follows."""
        self.a_minute_passes()
        follower = self.built.follower
        before = follower.revision
        yield
        assert follower.wait_for(lambda: follower.revision != before, 10)

    def a_minute_passes(self) -> None:
        """An answer is not cached on top of what is only seconds old."""
        with connection.cursor() as cursor:
            cursor.execute(_A_MINUTE_PASSES)

    def open(self, name: str, groups: set[str]) -> None:
        made = Collection.objects.create(slug=f"{name}-{self.number}", name=name)
        made.groups.set([self.groups[group] for group in groups])
        self.collections[name], self.model.readers[name] = made, set(groups)

    def close_down(self, name: str) -> None:
        """A collection goes, with all that is in it."""
        inside = [each for each in self.model.there if each.collection == name]
        if inside:
            with self._change():
                self.collections[name].delete()
        else:
            self.collections[name].delete()
        for document in inside:
            document.gone = True
        del self.collections[name], self.model.readers[name]

    def member(self, user: str, group: str) -> None:
        """Puts a user into a group, or out of it."""
        groups, row = self.model.groups[user], self.readers[user].row
        (row.groups.remove if group in groups else row.groups.add)(self.groups[group])
        groups ^= {group}

    def given(self, name: str, group: str) -> None:
        """Gives a group a collection, or takes it away."""
        groups, row = self.model.readers[name], self.collections[name]
        (row.groups.remove if group in groups else row.groups.add)(self.groups[group])
        groups ^= {group}

    def switch(self, user: str) -> None:
        """Switches an account off, or on again."""
        self.model.off ^= {user}
        User.objects.filter(pk=self.readers[user].row.pk).update(is_active=user not in self.model.off)

    def add(self, user: str, collection: str, *, waits: bool) -> None:
        document = Document(len(self.model.documents), collection, user)
        data = {"collection": self.collections[collection].slug}
        response = self._send(user, "POST", "/api/v1/documents", document, data)
        allowed = self.model.may_add(user, collection)
        assert response.status_code == (202 if allowed else self._refusal(user, seen=False, first=403))
        if allowed:
            self.model.documents.append(document)
            self.rows[document.number] = uuid.UUID(response.json()["id"])
            self.focus = document, WORDINGS[0]
            if not waits:
                self.work(document)

    def replace(self, user: str, document: Document, *, waits: bool) -> None:
        document.newest += 1
        response = self._send(user, "PUT", self._path(document), document, {})
        allowed = self.model.keeps(user, document)
        seen = self.model.follows(user, document)
        assert response.status_code == (202 if allowed else self._refusal(user, seen=seen))
        if not allowed:
            document.newest -= 1
            return
        document.by = user
        if not waits:
            self.work(document)

    def work(self, document: Document) -> None:
        """A worker comes to the newest version of a document."""
        if not document.gone and document.published != document.newest:
            with self._change():
                index_document(self.rows[document.number])
            document.published = document.newest
            self.focus = document, WORDINGS[0]

    def move(self, user: str, document: Document, collection: str) -> None:
        """From the library page, to a collection that the user may add to."""
        path = f"/library/{self.rows[document.number]}/move/"
        data = {"collection": self.collections[collection].slug}
        allowed = self.model.keeps(user, document) and self.model.may_add(user, collection)
        if not allowed:
            refused = self.readers[user].browser.post(path, data)
            seen = self.model.follows(user, document) and not self.model.keeps(user, document)
            assert refused.status_code == self._refusal(user, seen=seen, first=403, off=302)
        elif collection == document.collection:
            assert self.readers[user].browser.post(path, data).status_code == 302
        else:
            with self._change():
                assert self.readers[user].browser.post(path, data).status_code == 302
            document.collection, document.by = collection, user
            self.focus = document, WORDINGS[0]

    def delete(self, user: str, document: Document) -> None:
        if not self.model.keeps(user, document):
            refused = self.http(user).delete(self._path(document)).status_code
            assert refused == self._refusal(user, seen=self.model.follows(user, document))
            return
        with self._change():
            assert self.http(user).delete(self._path(document)).status_code == 204
        document.gone = True

    def _path(self, document: Document) -> str:
        return f"/api/v1/documents/{self.rows[document.number]}"

    def _refusal(self, user: str, *, seen: bool, first: int | None = None, off: int = 401) -> int:
        """The status for who may not: `first` is that of readers where they are refused before anything is looked
        up; what is not seen is not there."""
        if user in self.model.off:
            return off
        if first is not None and user not in (ROOT, KEEPER):
            return first
        return 403 if seen else 404

    def _send(self, user: str, method: str, path: str, document: Document, data: dict[str, str]) -> Any:
        """The newest version as a file, by the HTTP interface."""
        file = SimpleUploadedFile(f"paper {document.number}.md", document.text(document.newest).encode())
        body = encode_multipart(BOUNDARY, {**data, "file": file})
        return self.http(user).generic(method, path, body, MULTIPART_CONTENT)

    def http(self, user: str) -> Client:
        return Client(headers=self.readers[user].token)

    def ask(self, user: str, about: Document, wording: str, *, typed: bool) -> None:
        """Asks, having typed the question before or not, and holds every frame, and the model's prompt, against what
        the user may read."""
        self.focus = about, wording
        reader, text = self.readers[user], wording.format(about.topic, SHARED)
        if typed:
            self.process.call(self._type(reader, text))
        reader.scope = scope_for(reader.row)
        self.process.model.recent.clear()
        frames = self.process.call(self._ask(reader, text))
        shown = {uuid.UUID(p["document"]) for f in of(frames, "citations") for p in f["passages"]}
        readable = {self.rows[each.number] for each in self.model.searchable(user)}
        assert shown <= readable
        assert self.model.told(json.dumps(frames)) <= self.model.secrets(user)
        assert self.model.told(json.dumps(list(self.process.model.recent))) <= self.model.secrets(
            user, old=True
        )
        if self.rows[about.number] in readable:
            assert self.rows[about.number] in shown, "what is asked about is missing"
            assert frames[-1]["finish"] in {"complete", "cached"}, frames[-1]
        self.cached += frames[-1]["finish"] == "cached"
        self.asked.append(Asked(frames[0]["run"], user, frames[0]["conversation"], shown))

    async def _ask(self, reader: Reader, text: str) -> list[dict[str, Any]]:
        """The frames of a question; what the cache keeps of it is written, what the store keeps need not be yet."""
        frames = [frame async for frame in await self.built.ask(an_ask(reader.row, text))]
        await self.built.answers.aclose()
        return frames

    async def _type(self, reader: Reader, text: str) -> None:
        top = await self.built.anticipation.warm(text[:-4], reader.scope, None)
        await self.built.anticipation.warm(text, reader.scope, top)
