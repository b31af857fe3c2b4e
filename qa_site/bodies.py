"""What is sent with a request, and with its answer, on the way through daphne.

What comes goes to Django as it came. Twisted alone would read a form into memory first, on the event loop: in that
second and a half (a file of 45 MB, which takes 600 MB there) no answer of the process would go on. And what is far
larger than any document is read to its end, for its sender hears nothing before that, but not kept: daphne holds the
whole of it in memory before anybody is asked who sent it. So is what finds no room in the folder for temporary files:
Twisted alone would break off the connection without a word."""

from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO

from daphne import http_protocol
from django.conf import settings

from qa_site.api_errors import told
from retrieval.errors import NoRoom
from retrieval.ingestion.storage import room

BESIDE = 150
"""MB that a request may have more than the largest document: several small ones in one form, and what is a little too
large, of which Django's answer says how much."""


def most() -> int:
    return (settings.MAX_DOCUMENT_MB + BESIDE) * 2**20


class Request(http_protocol.WebRequest):  # type: ignore[misc]
    content: BinaryIO

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, parsePOSTFormSubmission=False)
        self.received, self.most = 0, most()
        self.no_room = ""

    def gotLength(self, length: int | None) -> None:
        super().gotLength(0 if length and length > self.most else length)
        if length and length > self.most:
            self.received = length

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if self.received > self.most:
            self._drop()
        elif not self.no_room:
            try:
                with room("the body of a request"):
                    super().handleContentChunk(data)
                    self.content.flush()
            except NoRoom as error:
                self.no_room = str(error)
                self._drop()

    def _drop(self) -> None:
        """What came so far."""
        with suppress(OSError):  # to close it is to write what was held back
            self.content.close()
        self.content = BytesIO()

    def process(self) -> Any:
        if self.received > self.most:
            message = f"The request is too large: a document may have {settings.MAX_DOCUMENT_MB} MB."
            return self._refuse(413, told("too_large", message))
        if self.no_room:
            return self._refuse(507, told("no_room", self.no_room))
        return super().process()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Of what answers HEAD, daphne holds back the first piece alone: the others would be taken for the beginning of
        the next answer on that connection, which behind a proxy may be another person's."""
        if self.method == b"HEAD" and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        super().handle_reply(message)

    def handle_exception(self, exception: BaseException) -> None:
        """An answer that has begun can but break off. Daphne would begin another one, which fails, and with it the
        round in which it forgets connections that are over: no other one would follow."""
        if self._response_started and not self.finished:
            self.transport.abortConnection()
        else:
            super().handle_exception(exception)

    def _refuse(self, status: int, body: bytes) -> None:
        headers = [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(body)).encode())]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": body})


def install() -> None:
    """Daphne has no setting for it."""
    http_protocol.WebRequest = Request
