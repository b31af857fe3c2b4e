"""Where the data, the sockets and the secret of this installation are. Everything follows from the data
folder, so two folders are two installations that know nothing of each other."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from qa_site import env

DATABASE_NAME = "citefirst"
MEMORY = Path("/dev/shm")


def data_dir() -> Path:
    """`DATA_DIR`, else a folder of the user's. Absolute; it need not exist yet."""
    base = env.text("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(env.text("DATA_DIR", str(Path(base) / "citefirst"))).expanduser().absolute()


def make(data: Path) -> None:
    """The data folder. Others may not look into it; under root the account of Postgres must pass through."""
    wanted = "a folder that can be made and written to"
    try:
        data.mkdir(mode=0o711 if os.getuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise env.BadSetting("DATA_DIR", str(data), f"{wanted} ({error.strerror})") from None
    if not os.access(data, os.W_OK | os.X_OK):
        raise env.BadSetting("DATA_DIR", str(data), wanted)


def socket_dir(data: Path) -> Path:
    """Where the bundled servers listen. Short, since a unix socket's path is limited to 107 bytes, and not
    under TMPDIR, since every command on this data folder must find the same one."""
    name = hashlib.blake2b(os.fsencode(data.resolve()), digest_size=6).hexdigest()
    return Path("/tmp") / f"citefirst-{os.getuid()}-{name}"


@contextmanager
def metrics_dir(data: Path) -> Iterator[Path]:
    """Where the processes share their metrics for as long as they run. In memory where that can be: the files are
    mapped, and on a full disk the kernel would kill who writes to them."""
    folder = MEMORY / f"{socket_dir(data).name}-metrics"
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
    try:
        folder.mkdir(mode=0o700)
    except OSError:  # no such memory here, or someone else's folder
        folder = data / "run" / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bundled_database_url(data: Path) -> str:
    return f"postgresql://postgres@/{DATABASE_NAME}?host={socket_dir(data)}"


def bundled_redis_url(data: Path) -> str:
    return f"unix://{socket_dir(data)}/redis.sock"


def celery_broker_url(redis_url: str) -> str:
    """Celery spells a unix socket, and the number of a database in the query, in ways of its own."""
    address, _, query = redis_url.partition("?")
    options = dict(parse_qsl(query))
    number = options.pop("db", "")
    if address.startswith("unix://"):
        address = "redis+socket://" + address.removeprefix("unix://")
        options |= {"virtual_host": number} if number else {}
    elif number:
        address = "/".join([*address.split("/")[:3], number])
    return f"{address}?{urlencode(options)}" if options else address


def secret_key(data: Path) -> str:
    """The key in the data folder, made at the first use. Two processes that start at once agree on one."""
    path = data / "secret_key"
    make(data)
    if not path.exists():
        draft = path.with_name(f"secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
