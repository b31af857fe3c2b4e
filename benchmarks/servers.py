"""The simulated upstreams of a benchmark, in a process of their own: two models and an embedder, and a twin
of the first model and of the embedder for the baseline, so that both meet the same draws and neither
waits for the other.

`python -m benchmarks.servers` prints the addresses as one JSON line and runs until its standard input
closes."""

import asyncio
import gc
import json
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

from answering.upstream import Behaviour, SimulatedUpstream
from answering.upstream.tally import Call

NAMES = ("a", "b", "embedder", "twin_a", "twin_embedder")
TWINS = {"a": "twin_a", "embedder": "twin_embedder"}
SEEDS = {"a": 11, "b": 12, "embedder": 13, "twin_a": 11, "twin_embedder": 13}


async def serve() -> None:
    async with AsyncExitStack() as stack:
        upstreams = {
            name: await stack.enter_async_context(
                SimulatedUpstream(name=name, control_port=0, seed=SEEDS[name], shared_seed=10)
            )
            for name in NAMES
        }
        addresses = {name: [upstream.base_url, upstream.control_url] for name, upstream in upstreams.items()}
        print(json.dumps(addresses), flush=True)
        gc.freeze()
        await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True, slots=True)
class Simulated:
    """The other process as the benchmark sees it: `urls` and `controls` by name."""

    urls: Mapping[str, str]
    controls: Mapping[str, str]
    process: asyncio.subprocess.Process
    http: httpx2.AsyncClient

    @classmethod
    async def start(cls) -> Self:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.servers"),
            cwd=Path(__file__).parents[1],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        addresses = json.loads(await process.stdout.readline())
        urls = {name: pair[0] for name, pair in addresses.items()}
        controls = {name: pair[1] for name, pair in addresses.items()}
        return cls(urls, controls, process, httpx2.AsyncClient(timeout=30))

    async def stop(self) -> None:
        await self.http.aclose()
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()

    async def set(self, name: str, **settings: Any) -> Behaviour:
        """The server's behaviour from now on: the defaults, its seed, and `settings`. Twins follow."""
        behaviour = Behaviour(seed=SEEDS[name], shared_seed=10).changed(**settings)
        await self._change(name, **{f: getattr(behaviour, f) for f in Behaviour.__slots__})
        if name in TWINS:
            await self.set(TWINS[name], **settings)
        return behaviour

    async def change(self, name: str, **settings: Any) -> None:
        """Changes some settings of a server, and of its twin."""
        for each in (name, *([TWINS[name]] if name in TWINS else [])):
            await self._change(each, **settings)

    async def _change(self, name: str, **settings: Any) -> None:
        reply = await self.http.post(self.controls[name], json=settings)
        reply.raise_for_status()

    async def reset(self) -> None:
        for name in NAMES:
            (await self.http.post(f"{self.controls[name]}/reset")).raise_for_status()

    async def calls(self, name: str, kind: str = "chat") -> dict[str, list[Call]]:
        """The calls of this kind by request id."""
        reply = await self.http.get(f"{self.controls[name]}/stats")
        found = reply.json()["requests"]
        return {
            key: [Call(**call) for call in calls if call["kind"] == kind]
            for key, calls in found.items()
            if any(call["kind"] == kind for call in calls)
        }


if __name__ == "__main__":
    asyncio.run(serve())
