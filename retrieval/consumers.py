"""The library page's socket: tells the page which documents have changed, and how they are now.

What arrives over the channel layer is a hint without content. The consumer reads the row again under the
reader's access of that moment, so a group taken away shows at once, and a lost hint costs nothing but
freshness. Who the reader is, is read again, too: from the session, which may be over."""

import logging
from contextlib import suppress
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from redis.exceptions import RedisError

from retrieval import permissions
from retrieval.access import scope_for
from retrieval.ingestion.progress import group_of_collection, group_of_user
from retrieval.states import document_state

logger = logging.getLogger(__name__)

NOT_LOGGED_IN, TRY_AGAIN = 4401, 4503


class LibraryConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """One reader's open library page."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, OSError) as error:  # of the channel layer, which is listened to all the time
            logger.warning("an open library page is not told of changes: %s", error)
            with suppress(OSError, RuntimeError):  # its reader has gone as well
                await send({"type": "websocket.close", "code": TRY_AGAIN})

    async def connect(self) -> None:
        """Accepts last: a page to which this comes to nothing tries again after longer and longer pauses."""
        self.joined: list[str] = []
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.accept()
            await self.close(code=NOT_LOGGED_IN)
            return
        self.session = self.scope["session"].session_key
        for group in [group_of_user(user.pk), *await self._groups()]:
            await self.channel_layer.group_add(group, self.channel_name)
            self.joined.append(group)
        await self.accept()
        await self.send_json({"type": "open"})

    async def disconnect(self, code: int) -> None:
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive_json(self, content: Any, **_: Any) -> None:
        """The page only listens."""

    async def document_changed(self, event: dict[str, Any]) -> None:
        user = await self._reader()
        if user is None:
            await self.close(code=NOT_LOGGED_IN)
            return
        state, may_know = await self._state(user, UUID(event["id"]), event["collection"])
        if state is not None:
            await self.send_json({"type": "document", **state})
        elif may_know:
            await self.send_json({"type": "gone", "id": event["id"]})

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _groups(self) -> list[str]:
        collections = permissions.readable_collections(self.scope["user"]).values_list("pk", flat=True)
        return [group_of_collection(pk) for pk in collections]

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _reader(self) -> User | None:
        """Whose session this is now; None after a logout, a new password, or where the account was switched off."""
        request = HttpRequest()
        request.session = SessionStore(self.session)
        user = auth.get_user(request)
        return None if isinstance(user, AnonymousUser) else user

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _state(
        self, user: User, document_id: UUID, collection: int | None
    ) -> tuple[dict[str, Any] | None, bool]:
        """The document's state, and whether the reader may know that it is gone: of their own uploads, and of the
        collections that they still read."""
        found = (
            permissions.visible_documents(user).select_related("collection").filter(pk=document_id).first()
        )
        if found is not None:
            return document_state(found), True
        return None, collection is None or collection in scope_for(user)
