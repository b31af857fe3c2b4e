"""Text recognition of scanned pages by tesseract, where it is installed."""

import functools
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pypdfium2

_SCALE = 200 / 72  # 200 dots per inch: enough for print, and a third of the work of 300
_MOST_PIXELS = 40_000_000
_MOST_SECONDS = 60.0
_LEAST_LETTERS = 0.5  # of a line: what recognition makes of a picture's edges and shades is mostly signs


@dataclass(frozen=True, slots=True)
class Recognised:
    """The lines found, by page; and the pages that there was no time for."""

    lines: dict[int, list[str]]
    unread: list[int]

    def note(self, pages: int, kind: str = "scans") -> str:
        """What an administrator should know of a document of so many pages; empty where nothing was recognised. `kind`
        says what the pages are."""
        if not self.lines:
            return ""
        told = f"{len(self.lines):,} of {pages:,} pages are {kind}: their text was recognised and may have slips."
        if not self.unread:
            return told
        return (
            f"{told} There was no time for {len(self.unread):,} more. Split the file, or run it through text"
            " recognition (OCR) first."
        )


@functools.cache
def available() -> bool:
    return shutil.which("tesseract") is not None


@functools.cache
def installed() -> frozenset[str]:
    """The languages that tesseract has the data of."""
    listed = subprocess.run(
        ["tesseract", "--list-langs"], capture_output=True, text=True, check=False, timeout=_MOST_SECONDS
    )
    return frozenset(line.strip() for line in listed.stdout.splitlines()[1:])


def recognise(
    document: pypdfium2.PdfDocument,
    pages: Sequence[int],
    *,
    seconds: float,
    languages: str,
    clock: Callable[[], float] = time.monotonic,
) -> Recognised:
    """Reads the pages (from 1) that show anything, in their order, for `seconds`. `languages` as tesseract names them,
    such as `eng+deu`, those that it does not have are left out; empty for its own default."""
    languages = "+".join(one for one in languages.split("+") if one in installed()) if languages else ""
    until = clock() + seconds
    found: dict[int, list[str]] = {}
    shown = [number for number in pages if _shows_anything(document, number)]
    for place, number in enumerate(shown):
        left = until - clock()
        if left <= 0:
            return Recognised(found, shown[place:])
        if lines := _read(document, number, min(left, _MOST_SECONDS), languages):
            found[number] = lines
        elif clock() >= until:  # it was cut short
            return Recognised(found, shown[place:])
    return Recognised(found, [])


def _shows_anything(document: pypdfium2.PdfDocument, number: int) -> bool:
    try:
        return next(iter(document[number - 1].get_objects(max_depth=1)), None) is not None
    except pypdfium2.PdfiumError:
        return False


def _read(document: pypdfium2.PdfDocument, number: int, seconds: float, languages: str) -> list[str]:
    """The lines of a page; none when tesseract fails or takes too long."""
    page = document[number - 1]
    width, height = page.get_size()
    if width * height * _SCALE**2 > _MOST_PIXELS:
        return []
    bitmap = page.render(scale=_SCALE, grayscale=True)
    rows = bitmap.to_numpy()
    picture = b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + rows.reshape(bitmap.height, -1).tobytes()
    command = ["tesseract", "stdin", "stdout", "--psm", "3", *(["-l", languages] if languages else [])]
    try:
        done = subprocess.run(command, input=picture, capture_output=True, timeout=seconds, check=True)
    except (subprocess.SubprocessError, OSError):
        return []
    lines = done.stdout.decode("utf-8", errors="replace").split("\n")
    return [line for line in lines if _is_text(line)]


def _is_text(line: str) -> bool:
    marks = "".join(line.split())
    letters = sum(mark.isalnum() for mark in marks)
    return letters >= 2 and letters >= _LEAST_LETTERS * len(marks)
