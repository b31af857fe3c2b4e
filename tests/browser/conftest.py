"""A real stack for a real browser: `manage.py up` on a folder of its own with the sample handbook, and the
simulated upstream as its model. Without a Chromium they are skipped; with REQUIRE_BROWSER=1 they fail."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from qa_site import places
from tests.browser.acts import PASSWORD, Script, log_in

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass(frozen=True)
class Model:
    """The simulated upstream; `behave` changes it until the test ends."""

    base_url: str
    control_url: str

    def behave(self, **changes: object) -> None:
        body = json.dumps(changes).encode()
        with urllib.request.urlopen(urllib.request.Request(self.control_url, body), timeout=10) as reply:
            assert reply.status == 200

    def reset(self) -> None:
        self.behave(first_token="fixed:60", token_gap="fixed:5", tokens=60)


def find_chromium() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        missing = f"no Chromium on PATH (looked for {', '.join(NAMES)})"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def run(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """A command of ours with none of the developer's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def line_with(stream: IO[str], word: str) -> str:
    """The first line that has `word`. Fails, with all that was said, where the stream ends before."""
    said = []
    for line in stream:
        said.append(line)
        if word in line:
            return line
    raise AssertionError("".join(said))


def end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.communicate(timeout=60)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Not pytest's own: other sessions of pytest take the rights on that one back, and Postgres runs as another
    user than root."""
    with TemporaryDirectory(prefix="citefirst site ") as name:
        yield Path(name)
        shutil.rmtree(places.socket_dir(Path(name) / "data"), ignore_errors=True)


@pytest.fixture(scope="session")
def upstream(browser: Browser, folder: Path) -> Iterator[Model]:
    process = run("upstream", "--port", "0", DATA_DIR=str(folder / "upstream"))
    assert process.stdout is not None
    words = line_with(process.stdout, "control:").replace(")", " ").split()
    yield Model(next(w for w in words if w.endswith("/v1")), next(w for w in words if w.endswith("/control")))
    end(process)


@pytest.fixture(scope="session")
def site(upstream: Model, folder: Path) -> Iterator[str]:
    """The address of the running application."""
    upstream.reset()
    process = run(
        "up",
        "--port",
        "0",
        "--data",
        str(folder / "data"),
        ADMIN_PASSWORD=PASSWORD,
        OPENAI_BASE_URL=upstream.base_url,
        ANSWER_MODEL="simulated",
        QUOTA_PER_MINUTE="0",
    )
    assert process.stdout is not None
    yield line_with(process.stdout, "Ready:").split("Ready:")[1].strip()
    end(process)


@pytest.fixture
def model(upstream: Model) -> Iterator[Model]:
    yield upstream
    upstream.reset()


@pytest.fixture
def visitor(browser: Browser, site: str) -> Iterator[Page]:
    """A page of someone not logged in. Fails on errors in the console, breaches of the content policy too."""
    context = browser.new_context(base_url=site, viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    context.on(
        "console",
        lambda message: problems.append(message.text) if message.type in {"error", "warning"} else None,
    )
    context.on("weberror", lambda error: problems.append(str(error.error)))
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()
    assert problems == []


@pytest.fixture(scope="session")
def session_cookies(browser: Browser, site: str) -> list[dict[str, object]]:
    context = browser.new_context(base_url=site)
    log_in(context.new_page())
    cookies = context.cookies()
    context.close()
    return cookies  # type: ignore[return-value]


@pytest.fixture
def page(visitor: Page, session_cookies: list[dict[str, object]]) -> Page:
    """A page of the administrator, who is logged in."""
    visitor.context.add_cookies(session_cookies)  # type: ignore[arg-type]
    return visitor


@pytest.fixture
def script(page: Page) -> Script:
    server = Script(page)
    page.goto("/")
    server.wait(lambda: bool(server.sockets))
    return server
