"""Text recognition of scanned pages by tesseract, where it is installed."""

import functools
import shutil
import subprocess

import pypdfium2

_SCALE = 200 / 72  # 200 dots per inch: enough for print, and a third of the work of 300
_MOST_PIXELS = 40_000_000
_SECONDS = 60


@functools.cache
def available() -> bool:
    return shutil.which("tesseract") is not None


def read_page(document: pypdfium2.PdfDocument, number: int) -> list[str]:
    """The lines that tesseract reads on a page (from 1); none when it fails or takes too long."""
    page = document[number - 1]
    width, height = page.get_size()
    if width * height * _SCALE**2 > _MOST_PIXELS:
        return []
    bitmap = page.render(scale=_SCALE, grayscale=True)
    rows = bitmap.to_numpy()
    picture = b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + rows.reshape(bitmap.height, -1).tobytes()
    command = ["tesseract", "stdin", "stdout", "--psm", "3"]
    try:
        done = subprocess.run(command, input=picture, capture_output=True, timeout=_SECONDS, check=True)
    except (subprocess.SubprocessError, OSError):
        return []
    return [line for line in done.stdout.decode("utf-8", errors="replace").split("\n") if line.strip()]
