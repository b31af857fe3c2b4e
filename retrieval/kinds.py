"""What kind of thing a question asks for: how many wants a number, when a time."""

import re

import numpy as np
import numpy.typing as npt

FITS = 0.5  # of its own worth, that a sentence gains that holds the kind of thing that is asked for

_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|hundred|thousand|million|billion|half|third|quarter|once|twice|none|unlimited)\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\d|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues"
    r"|wednes|thurs|fri|satur|sun)day|noon|midnight|daily|weekly|monthly|quarterly|yearly|annually|century)\b",
    re.IGNORECASE,
)
# What is asked for -> what an answer to it holds.
_KINDS = (
    (
        re.compile(
            r"\bhow (?:many|much|long|often|old|far|big|large|high|tall|fast)\b"
            r"|\b(?:number|amount|percent\w*|rate|cost|price|limit|maximum|minimum) of\b",
            re.IGNORECASE,
        ),
        _NUMBER,
    ),
    (
        re.compile(
            r"\bwhen\b|\b(?:what|which|by what) (?:date|day|month|year|time)\b|\bdeadline\b", re.IGNORECASE
        ),
        _TIME,
    ),
)


def fit(question: str, sentences: list[str]) -> npt.NDArray[np.float64]:
    """What each sentence's own worth is multiplied by: more where it holds a number, and a number is asked for."""
    kinds = [held for asked, held in _KINDS if asked.search(question)]
    if not kinds:
        return np.ones(len(sentences))
    return np.array([1 + FITS * any(held.search(one) for held in kinds) for one in sentences])
