"""`manage.py help`: Citefirst's own commands with a line each, then the names of Django's. `manage.py version`."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import takewhile
from textwrap import fill

from django.core.management import ManagementUtility, get_commands, load_command_class

OURS = ("qa_site", "answering", "retrieval")


def asks_version(argv: Sequence[str]) -> bool:
    """Also of a command, which would tell Django's. What follows `--` is no option."""
    return "--version" in takewhile(lambda each: each != "--", argv[1:])


class Utility(ManagementUtility):
    def execute(self) -> None:
        if self.argv[1:] == ["version"] or asks_version(self.argv):
            sys.stdout.write(f"Citefirst {version('citefirst')} (Django {version('django')})\n")
        else:
            super().execute()

    def main_help_text(self, commands_only: bool = False) -> str:
        if commands_only:
            return super().main_help_text(commands_only)
        found = sorted(get_commands().items())
        lines = [f"  {name:12} {_summary(app, name)}" for name, app in found if app in OURS]
        return "\n".join(
            [
                f"Usage: {self.prog_name} COMMAND [OPTIONS] [--data DIR]",
                "",
                *lines,
                "",
                f"{self.prog_name} COMMAND --help describes one. Settings are environment variables"
                " (docs/configuration.md).",
                "--data DIR, for every command, is where the documents and the bundled servers' data are kept.",
                "",
                fill(
                    "Django's own: " + ", ".join(name for name, app in found if app not in OURS) + ".",
                    width=100,
                    break_on_hyphens=False,
                ),
            ]
        )


def _summary(app: str, name: str) -> str:
    """The first sentence of a command's help."""
    return f"{load_command_class(app, name).help.split('. ')[0].rstrip('.')}."
