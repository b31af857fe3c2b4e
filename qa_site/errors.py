"""The errors of the assembly. A bad setting is `env.BadSetting`.

StartError            something cannot start; the message tells a newcomer why, and what to do
 ├─ NoAccount         root has no account to run Postgres as
 ├─ EmbeddedError     the bundled Postgres or Redis cannot run
 └─ UpError           `manage.py up` cannot go on
"""


class StartError(Exception):
    """Something cannot start."""


class NoAccount(StartError):
    """Root has no account to run Postgres as."""


class EmbeddedError(StartError):
    """The bundled Postgres or Redis cannot run."""


class UpError(StartError):
    """`manage.py up` cannot go on."""
