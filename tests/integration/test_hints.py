"""What open library pages are told of documents that change."""

from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from retrieval.ingestion import progress

pytestmark = pytest.mark.usefixtures("redis_url")


def test_what_is_said_several_times_of_a_document_is_sent_once():
    one, other, last = uuid4(), uuid4(), uuid4()

    async def listen() -> list[str]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(progress.group_of_collection(7), channel)
        for _ in range(5):
            progress.hint(one, 7, None)
        progress.hint(other, 7, None)
        told = [(await layer.receive(channel))["id"] for _ in range(2)]
        progress.hint(last, 7, None)
        return [*told, (await layer.receive(channel))["id"]]

    assert async_to_sync(listen)() == [str(one), str(other), str(last)]


def test_whoever_uploaded_a_document_is_told_without_its_collection():
    document = uuid4()

    async def listen() -> dict[str, object]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(progress.group_of_user(9), channel)
        progress.hint(document, 7, 9)
        return dict(await layer.receive(channel))

    assert async_to_sync(listen)() == {"type": "document.changed", "id": str(document), "collection": None}
