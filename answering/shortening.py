"""Texts cut to a length. Pure."""


def shortened(text: str, most: int) -> str:
    """`text` where it has at most `most` characters; else what fits of its words, and an ellipsis."""
    return text if len(text) <= most else text[:most].rsplit(maxsplit=1)[0] + " …"
