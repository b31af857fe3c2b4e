"""Zip files (DOCX, PPTX, XLSX, ODT, EPUB) opened with care: what they unpack to is checked before anything
is read."""

import io
import re
import zipfile
import zlib
from collections.abc import Collection, Mapping

from retrieval.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge
from retrieval.ingestion.blocks import Limits, megabytes

_ENCRYPTED = 0x1
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_FIRST = ("mimetype", "META-INF/container.xml", "[Content_Types].xml")  # what is at the top of such files
_OF_SYSTEMS = re.compile(r"(?:^|/)(?:__MACOSX/.*|\.DS_Store|Thumbs\.db|desktop\.ini|)$")


class Archive:
    """The members of a zip file. Reading counts what is unpacked against the limit, whatever the directory
    says."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DocumentDamaged("The file is damaged: it cannot be unpacked.") from error
        members = self._zip.infolist()
        if any(member.flag_bits & _ENCRYPTED for member in members):
            raise DocumentEncrypted("The file is protected by a password. Save it without one and try again.")
        self.names = frozenset(member.filename for member in members)
        self._left = limits.unpacked_bytes
        self._limit = limits.unpacked_bytes
        unpacked = sum(member.file_size for member in members)
        if unpacked > self._limit:
            raise self._too_large(f"The file unpacks to {megabytes(unpacked)}")

    def _too_large(self, what: str) -> DocumentTooLarge:
        return DocumentTooLarge(f"{what}, over the limit of {megabytes(self._limit)}.")

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises DocumentDamaged when it is missing or broken, DocumentTooLarge over the
        limit."""
        try:
            with self._zip.open(name) as member:
                data = member.read(self._left + 1)
        except (KeyError, zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise DocumentDamaged(f"The file is damaged: its part {name!r} cannot be read.") from error
        except zlib.error as error:
            raise DocumentDamaged(f"The file is damaged: its part {name!r} cannot be unpacked.") from error
        self._left -= len(data)
        if self._left < 0:
            raise self._too_large("The file unpacks to more than it says")
        return data

    def check(self) -> None:
        """Unpacks everything once, so that a library which reads the file itself meets no bomb and no
        broken part."""
        for name in self._zip.namelist():
            self.read(name)
        self._left = self._limit


def is_zipped(data: bytes) -> bool:
    return data.startswith(_MAGIC)


def straightened(data: bytes, limits: Limits) -> bytes:
    """The same file as programs read it, where somebody's tools have packed it otherwise: with the names written as on
    Windows, or the folder into which it had been unpacked instead of what is in that."""
    archive = Archive(data, limits)
    names = {name.replace("\\", "/").removeprefix("./"): name for name in sorted(archive.names, reverse=True)}
    names = {name: packed for name, packed in names.items() if not _OF_SYSTEMS.search(name)}
    folder = _folder(names)
    if not folder and archive.names.issuperset(names):
        return data
    return zipped({name.removeprefix(folder): archive.read(packed) for name, packed in names.items()})


def _folder(names: Collection[str]) -> str:
    """That in which all of a file lies, with its slash; empty where there is none."""
    if any(first in names for first in _FIRST):
        return ""
    folders = [name.removesuffix(first) for name in names for first in _FIRST if name.endswith(f"/{first}")]
    folder = min(folders, key=len, default="")
    return folder if all(name.startswith(folder) for name in names) else ""


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip file of these, for a library that reads none but whole files."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return written.getvalue()
