import asyncio
import socket
from contextlib import suppress

import pytest

from benchmarks.faultproxy import FaultProxy
from tests.servers import listening


@pytest.fixture
async def echo():
    """A server that says back what it hears."""

    async def handle(reader, writer):
        with suppress(ConnectionError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()

    async with listening(handle) as address:
        yield address


@pytest.fixture
async def proxy(echo):
    async with FaultProxy(echo) as proxy:
        yield proxy


async def closed(writer):
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def said(proxy, text=b"hello"):
    """What comes back through the proxy on a new connection; nothing when it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(text)
        return await reader.read(1000)
    except ConnectionError:
        return b""
    finally:
        await closed(writer)


async def test_bytes_pass(proxy):
    assert await said(proxy) == b"hello"


async def test_a_delay_is_added(proxy):
    loop = asyncio.get_running_loop()
    await proxy.change(delay=0.05)
    begun = loop.time()

    assert await said(proxy) == b"hello"
    assert loop.time() - begun >= 0.05


async def test_a_hang_ends_when_it_is_lifted(proxy):
    await proxy.change("hang")
    waiting = asyncio.create_task(said(proxy))
    while not proxy.accepted:  # noqa: ASYNC110 - the proxy counts on this same loop
        await asyncio.sleep(0)
    assert not waiting.done()

    await proxy.change("ok")

    assert await waiting == b"hello"


async def test_a_broken_server_closes_connections(proxy):
    await proxy.change("error")

    assert await said(proxy) == b""


async def test_open_connections_break_too(proxy):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x")
    await reader.read(1)

    await proxy.change("error")

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    await closed(writer)


async def test_a_server_that_is_gone_refuses_and_can_come_back(proxy):
    await proxy.change("refuse")
    with pytest.raises(ConnectionRefusedError):
        await said(proxy)

    await proxy.change("ok")

    assert await said(proxy) == b"hello"


@pytest.mark.parametrize("turns", range(6))
async def test_who_connects_as_the_server_goes_is_not_forgotten(proxy, turns):
    await asyncio.sleep(0)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await proxy.change("refuse")
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
