"""What Excel and OpenDocument sheets have in common."""

COLUMNS = 500
"""Those that are read of a sheet."""


def warnings(wide: list[str], hidden: list[str]) -> tuple[str, ...]:
    """What an administrator should know, from the names of the sheets that are not read whole."""
    told = {
        f"Only the first {COLUMNS} columns were read of": wide,
        "Hidden sheets were left out": hidden,
    }
    return tuple(f"{note}: {_listed(names)}." for note, names in told.items() if names)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def letters(place: int) -> str:
    """The name of a column, from 0: A … Z, AA …"""
    name, left = "", place + 1
    while left:
        left, letter = divmod(left - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
