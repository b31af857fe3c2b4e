"""The part of a file that a `Range` header asks for (RFC 9110, 14). A browser asks for parts to go on with a download
that broke off, and its viewer to show the end of a long file first."""

import re


class OutOfRange(Exception):
    """The part lies beyond the end."""


def part(wanted: str, size: int) -> range | None:
    """The bytes that are asked for, of `size`. None for all of them: also where several parts are asked for, which
    would be no less to send, or what is asked for cannot be understood. Raises OutOfRange."""
    found = re.fullmatch(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", wanted, re.ASCII | re.IGNORECASE)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        asked = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        asked = range(int(first), min(size, int(last) + 1) if last else size)
    if not asked:
        raise OutOfRange
    return asked
