"""What a person does in the pages, and a server for the socket that follows a script."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, WebSocketRoute, expect

PASSWORD = "an-open-sesame-for-tests"
LEAVE = "How many days of annual leave do I get?"


def log_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_label("Your question")).to_be_visible()


def ask(page: Page, question: str) -> None:
    expect(page.locator("#composer[data-ready]")).to_be_visible()
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def finished(page: Page, number: int = 1) -> None:
    """Waits until `number` runs have ended well."""
    expect(page.locator(".run[data-state=done]")).to_have_count(number)


def passage(n: int, text: str, marks: list[list[int]], **more: Any) -> dict[str, Any]:
    document = str(uuid.UUID(int=n))
    return {
        "n": n,
        "document": document,
        "title": f"Document {n}",
        "collection": "handbook",
        "heading": "Leave › Annual leave",
        "page": None,
        "text": text,
        "marks": marks,
        "url": f"/d/{document}/?chunk={n}",
        **more,
    }


class Script:
    """The server's end of `/ws/ask/`, in the hand of a test: `heard` is what came in, `say` sends a frame."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.heard: list[dict[str, Any]] = []
        self.sockets: list[WebSocketRoute] = []
        self.seq = 0
        page.route_web_socket("**/ws/ask/", self._connected)

    def _connected(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda message: self.heard.append(json.loads(message)))

    def wait(self, done: Callable[[], bool]) -> None:
        """Lets the browser go on until `done`."""
        for _ in range(500):
            if done():
                return
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
        raise AssertionError(f"it did not come to pass; heard {self.heard}")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.heard if frame["type"] == kind]

    def asked(self, question: str = LEAVE) -> str:
        """Asks, waits until the question has come, and returns its id."""
        before = len(self.of("ask"))
        ask(self.page, question)
        self.wait(lambda: len(self.of("ask")) > before)
        self.seq = 0
        return str(self.of("ask")[-1]["id"])

    def say(self, run: str, kind: str, **fields: Any) -> None:
        self.seq += 1
        self.again(run, self.seq, kind, **fields)

    def again(self, run: str, seq: int, kind: str, **fields: Any) -> None:
        self.sockets[-1].send(json.dumps({"type": kind, "run": run, "seq": seq, **fields}))

    def accept(self, run: str) -> None:
        self.say(run, "accepted", conversation=str(uuid.uuid4()), question=LEAVE)

    def done(self, run: str, html: str, cited: list[int], **more: Any) -> None:
        end = {"finish": "complete", "route": "hybrid", "stages": [], "degraded": []} | more
        self.say(run, "done", html=html, cited=cited, **end)
