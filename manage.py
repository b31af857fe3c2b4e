#!/usr/bin/env python
"""Citefirst's command line: `manage.py up` starts everything, `manage.py help` lists the rest."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qa_site.settings")
    from qa_site.commandline import execute

    execute(sys.argv)


if __name__ == "__main__":
    main()
