"""How questions fare while documents come in: `python -m benchmarks.while_ingesting FOLDER QUESTIONS.jsonl`.

Starts the whole application (`manage.py up`) on a data folder of its own, takes in a part of the folder, and asks at
random times: first with nothing else going on, then while the rest is taken in, parsed and embedded by the bundled
model. Prints both, their ratio, and how long after its `ready` a document was found by either search."""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import psycopg

from qa_site import places

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
MARKED, APART = 8, 60
"""Documents whose way into the searches is timed, and files between two of them."""


@contextlib.contextmanager
def application(data: Path, environment: dict[str, str]) -> Iterator[str]:
    """`manage.py up`, ready; gives its address."""
    command = [
        sys.executable,
        str(ROOT / "manage.py"),
        "up",
        "--port",
        "0",
        "--no-sample",
        "--data",
        str(data),
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield next(line.split()[1] for line in process.stdout if line.startswith("Ready: "))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def manage(environment: dict[str, str], *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


class Asker:
    def __init__(self, session: aiohttp.ClientSession, url: str, questions: Sequence[str]) -> None:
        self.session, self.url = session, url
        self.questions = itertools.cycle(questions)

    async def ask(self) -> float:
        """Seconds to the end of an answer that no cache gives."""
        begun = time.perf_counter()
        body = {"question": next(self.questions), "fresh": True}
        async with self.session.post(f"{self.url}/api/v1/ask", json=body) as reply:
            reply.raise_for_status()
            await reply.read()
        return time.perf_counter() - begun

    async def rounds(self, rate: float, until: asyncio.Event, most: int) -> list[float]:
        """Open-loop: at `rate` a second, whatever the answers take."""
        chance = random.Random(5)
        asked: list[asyncio.Task[float]] = []
        while not until.is_set() and len(asked) < most:
            asked.append(asyncio.create_task(self.ask()))
            await asyncio.sleep(chance.expovariate(rate))
        return list(await asyncio.gather(*asked))

    async def lag(self, word: str, database: str) -> float | None:
        """Seconds from the `ready` of the document that holds `word` until both searches find it; None where it was
        there already."""
        tries = 0
        async with asyncio.timeout(PATIENCE):
            while not await self.found(word):
                tries += 1
                await asyncio.sleep(0.05)
        found = time.time()
        with psycopg.connect(database) as connection:
            (ready,) = connection.execute(
                "SELECT extract(epoch FROM ready_at)::float8 FROM retrieval_document WHERE name = %s",
                [f"{word}.md"],
            ).fetchone() or (found,)
        return found - float(ready) if tries else None

    async def found(self, word: str) -> bool:
        query = {"q": word, "collections": "benchmark"}
        async with self.session.get(f"{self.url}/api/v1/search", params=query) as reply:
            first = (await reply.json())[:1]
        return bool(
            first and word in first[0]["text"] and first[0]["lexical_rank"] and first[0]["vector_rank"]
        )


def marked(place: Path, files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files, and among them some with a word of their own each; and these words."""
    words = [f"zyx{uuid.uuid4().hex[:12]}" for _ in range(MARKED)]
    mixed = list(files)
    for at, word in enumerate(words, 1):
        file = place / f"{word}.md"
        file.write_text(f"The {word} policy says {word}.")
        mixed.insert(at * APART, file)
    return mixed, words


def row(name: str, seconds: Sequence[float]) -> tuple[float, float]:
    p50, p99 = statistics.median(seconds), sorted(seconds)[int(0.99 * len(seconds))]
    print(
        f"{name:22} {len(seconds):5} questions   p50 {1000 * p50:7.1f} ms   p99 {1000 * p99:7.1f} ms",
        flush=True,
    )
    return p50, p99


async def measure(url: str, token: str, environment: dict[str, str], options: argparse.Namespace) -> None:
    files = sorted(path for path in options.folder.rglob("*") if path.suffix == ".md")
    first, rest = files[: options.before], files[options.before :]
    texts = [json.loads(line)["text"] for line in options.questions.read_text().splitlines()]
    headers = {"Authorization": f"Bearer {token}"}
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
        asker = Asker(session, url, texts)
        await ingest(environment, first)
        await asker.rounds(options.rate, asyncio.Event(), 40)  # warm
        calm = row("nothing else going on", await asker.rounds(options.rate, asyncio.Event(), options.count))
        done = asyncio.Event()
        mixed, words = marked(Path(environment["DATA_DIR"]).parent, rest)
        taking = asyncio.create_task(ingest(environment, mixed, done))
        await asyncio.sleep(2)
        busy = row("while ingesting", await asker.rounds(options.rate, done, options.count))
        print(
            f"p99 grows by {100 * (busy[1] / calm[1] - 1):.0f} %, p50 by {100 * (busy[0] / calm[0] - 1):.0f} %"
        )
        if done.is_set():
            print("ingestion was over before the questions were: give more files")
        database = places.bundled_database_url(Path(environment["DATA_DIR"]))
        lags = [lag for word in words if (lag := await asker.lag(word, database)) is not None]
        told = (
            f"{max(lags):.2f} s at most, of {len(lags)} documents" if lags else "no document was left to time"
        )
        print(f"found by both searches after ready, while ingesting: {told}", flush=True)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)


async def ingest(
    environment: dict[str, str], files: Sequence[Path], done: asyncio.Event | None = None
) -> None:
    arguments = ["ingest", *map(str, files), "--collection", "benchmark", "--wait"]
    process = await asyncio.create_subprocess_exec(
        *manage(environment, *arguments), env=environment, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        if done is not None:
            done.set()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of Markdown files")
    parser.add_argument("questions", type=Path, help='lines of {"text": …}')
    parser.add_argument("--before", type=int, default=100, help="files that are there already")
    parser.add_argument("--rate", type=float, default=4.0, help="questions a second")
    parser.add_argument("--count", type=int, default=200, help="questions of either kind")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="citefirst-bench-"))
    data = place / "data"
    environment = dict(os.environ) | {
        "DATA_DIR": str(data),
        "QUOTA_PER_MINUTE": "0",
        "ADMIN_PASSWORD": uuid.uuid4().hex,
    }
    try:
        with application(data, environment) as url:
            made = subprocess.run(
                manage(environment, "createtoken", "admin"),
                env=environment,
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            asyncio.run(measure(url, made.stdout.split()[-1], environment, options))
    finally:
        shutil.rmtree(places.socket_dir(data), ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
