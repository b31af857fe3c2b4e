"""`manage.py`, around Django's own: a bad setting is one line, and a command that needs the database finds
one: where nothing runs, the bundled servers are started for as long as it takes."""

import io
import os
import sys
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError

from answering.budgets import Budgets
from qa_site import env, outside, places
from qa_site.embedded import needed_servers
from qa_site.errors import StartError
from qa_site.usage import Utility, asks_version
from retrieval.outages import is_outage

# These need no database, or, as `up`, see to it themselves.
ALONE = frozenset(
    [
        "help",
        "version",
        "check",
        "collectstatic",
        "diffsettings",
        "findstatic",
        "makemessages",
        "compilemessages",
        "upstream",
        "up",
    ]
)
# These are about the schema itself, so it is not brought up to date for them.
SCHEMA = frozenset(["makemigrations", "migrate", "showmigrations", "sqlmigrate", "dbshell", "flush"])


def execute(argv: Sequence[str]) -> None:
    """Runs one command. Exits with 2 and one line on a setting that cannot be used, with 1 and one line where Postgres
    goes away or takes no changes, with 130 after a Ctrl-C, and quietly with 141 when nobody reads on, as behind
    `| head`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # answers may hold what this terminal cannot show
    try:
        run(take_data_option(list(argv)))
        sys.stdout.flush()
    except (ImproperlyConfigured, StartError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is flushed at the exit, too
        sys.exit(141)
    except (DatabaseError, InterfaceError) as error:
        if not is_outage(error):
            raise
        cause = (str(error).strip().splitlines() or ["the connection was lost"])[0]
        sys.stderr.write(f"Postgres went away ({cause}). Run the command again when it is back.\n")
        sys.exit(1)


def run(argv: list[str]) -> None:
    command = argv[1] if len(argv) > 1 else "help"
    Budgets.from_milliseconds(settings.BUDGETS_MS)  # with it every setting is read
    utility = Utility(argv)
    if command in ALONE or command.startswith("-") or {"--help", "-h"} & set(argv) or asks_version(argv):
        utility.execute()
        return
    servers = needed_servers(places.data_dir())
    started = servers.start()
    try:
        if env.text("DATABASE_URL"):
            outside.check_postgres()
            if command not in SCHEMA:
                outside.check_migrated()
        if started and command not in SCHEMA:
            Utility([argv[0], "migrate", "--verbosity", "0"]).execute()
        utility.execute()
    finally:
        servers.stop(wait_for_others=True)


def take_data_option(argv: list[str]) -> list[str]:
    """`--data DIR` is an option of every command, and must be known before the settings are read. Returns the
    arguments without it. Raises BadSetting for an empty one: it would be another folder than was meant."""
    for place, argument in enumerate(argv):
        if argument.startswith("--data="):
            folder, rest = argument.removeprefix("--data="), argv[place + 1 :]
        elif argument == "--data" and place + 1 < len(argv):
            folder, rest = argv[place + 1], argv[place + 2 :]
        else:
            continue
        if not folder.strip():
            raise env.BadSetting("DATA_DIR", folder, "a folder, where --data is given")
        os.environ["DATA_DIR"] = folder
        return argv[:place] + rest
    return argv
