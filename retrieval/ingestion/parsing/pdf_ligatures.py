"""Joined letters as Ghostscript 10.00 spoils them, with their bytes the wrong way round ("con昀椀gured")."""

import re

_JOINED = "fijlthbk"
_SPOILT = {ord(letter) << 8: letter for letter in _JOINED}
_SPOILT |= {
    (ord("f") + ord(letter)) << 8: f"f{letter}" for letter in "il"
}  # the last two of three are added up
_SIGNS = "".join(map(chr, _SPOILT))
_LIGATURE = re.compile(f"(?<=[A-Za-z])[昀琀][{_SIGNS}]+|[昀琀][{_SIGNS}]+(?=[A-Za-z])")


def parted(text: str) -> str:
    """The text with what stands for joined letters as these letters. Only beside others: the signs are Chinese, too."""
    if "昀" not in text and "琀" not in text:
        return text
    return _LIGATURE.sub(lambda found: found[0].translate(_SPOILT), text)
