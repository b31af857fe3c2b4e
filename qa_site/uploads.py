"""What is sent, while it comes in: it lies in the folder for temporary files, and that may be full."""

import contextlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from qa_site.api_errors import told
from retrieval.errors import NoRoom
from retrieval.ingestion.storage import room

Application = Callable[[Any, Any, Any], Awaitable[None]]


class NoRoomForUpload(BadRequest):
    """The folder for temporary files is full. `refusals` answers it with 507."""


class ToDisk(FileUploadHandler):
    """Each file lies in the folder for temporary files, without a name there: a process that is killed leaves nothing.
    A disk that is full is no bug."""

    file: "UploadedFile[Any]"

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        with self._told():
            made = tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 - Django closes it
        self.file = UploadedFile(
            made, self.file_name, self.content_type, 0, self.charset, self.content_type_extra
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._told():
            self.file.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        with self._told():  # what was held back is written now
            self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with room("a file that is sent"):
                yield
        except NoRoom as error:
            with contextlib.suppress(OSError):  # to close it is to write what was held back
                self.upload_interrupted()
            raise NoRoomForUpload(str(error)) from error


class Roomed:
    """An ASGI application that answers 507 where a body found no room before Django had a request."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            with room("the body of a request"):
                await self.application(scope, receive, send)
        except NoRoom as error:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 507, "headers": headers})
            await send({"type": "http.response.body", "body": told("no_room", str(error))})
