"""The errors of the assembly. A bad setting is `env.BadSetting`.

StartError            something cannot start; the message tells a newcomer why, and what to do
 ├─ NoAccount         root has no account to run Postgres as
 ├─ EmbeddedError     the bundled Postgres or Redis cannot run
 ├─ OutsideError      the Postgres or Redis that a setting points to cannot be used
 │   └─ Unanswered    it does not answer; what goes without it may go on
 └─ UpError           `manage.py up` cannot go on
"""


class StartError(Exception):
    """Something cannot start."""


class NoAccount(StartError):
    """Root has no account to run Postgres as."""


class EmbeddedError(StartError):
    """The bundled Postgres or Redis cannot run."""


class OutsideError(StartError):
    """The Postgres or Redis that a setting points to cannot be used."""


class Unanswered(OutsideError):
    """It does not answer; what goes without it may go on."""


class UpError(StartError):
    """`manage.py up` cannot go on."""
