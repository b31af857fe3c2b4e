"""Readers of environment variables. On a value it cannot use each raises `BadSetting`, which names it."""

import os
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

POSTGRES = ("postgresql", "postgres")

PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""As libpq has them; all but the last in seconds. A host of Postgres may be gone without a word, as when it loses its
power. Left alone, libpq waits for it for two minutes before it tries the next one, and the system for a quarter of an
hour on a connection that is open, or for two where nothing is under way on it."""

PASSWORD = re.compile(r"(://[^:/?#]*:).*@", re.DOTALL)
"""Of a URL, also of one that cannot be read: to the last @, since the signs in it may not be written as they must."""


class BadSetting(ImproperlyConfigured):
    """A setting has a value that cannot be used."""

    def __init__(self, name: str, value: str, wanted: str) -> None:
        shown = PASSWORD.sub(r"\1***@", value)
        super().__init__(f"{name}={shown!r} cannot be used: it must be {wanted}.")
        self.name = name


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def matching(name: str, pattern: str, wanted: str) -> str:
    """A text of that form; empty where it is not set."""
    value = text(name)
    if value and not re.fullmatch(pattern, value):
        raise BadSetting(name, value, wanted)
    return value


def key(name: str) -> str:
    """A secret that goes into a header of HTTP, which is of ASCII."""
    value = text(name)
    if value and not re.fullmatch("[ -~]+", value):
        raise BadSetting(name, "***", "of ASCII letters, digits and signs alone, on one line")
    return value


def integer(name: str, default: int, *, low: int, high: int) -> int:
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise BadSetting(name, value, f"a whole number from {low} to {high}") from None
    if not low <= number <= high:
        raise BadSetting(name, value, f"a whole number from {low} to {high}")
    return number


def number(name: str, default: float, *, low: float, high: float) -> float:
    value = text(name)
    if not value:
        return default
    try:
        result = float(value)
    except ValueError:
        raise BadSetting(name, value, f"a number from {low} to {high}") from None
    if not low <= result <= high:
        raise BadSetting(name, value, f"a number from {low} to {high}")
    return result


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(name, value, "true or false")


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise BadSetting(name, value, "one of " + ", ".join(allowed))
    return value


def listed(name: str, default: Sequence[str] = ()) -> list[str]:
    return [item.strip() for item in text(name).split(",") if item.strip()] or list(default)


def hosts(name: str, default: Sequence[str]) -> list[str]:
    """Names and addresses as browsers send them, less the port; `.docs.example` has all names below it."""
    found = listed(name, default)
    for item in found:
        if not re.fullmatch(r"\*|[^\s/:*@\[\]]+|\[[0-9A-Fa-f:.]+\]", item):
            raise BadSetting(
                name,
                item,
                "names such as docs.example or .docs.example, without https:// and port, commas between",
            )
    return found


def origins(hosts: Sequence[str]) -> list[str]:
    """The pages of these hosts, as Django writes them: `.docs.example` is `https://docs.example` and all below it."""
    wide = [f"https://*{host}" for host in hosts if host.startswith(".")]
    return wide + [f"https://{host.lstrip('.')}" for host in hosts if host != "*"]


def url(name: str, default: str, schemes: Sequence[str]) -> str:
    value = text(name, default)
    if value and value.split("://", 1)[0] not in schemes:
        raise BadSetting(name, value, "a URL that begins with " + " or ".join(f"{s}://" for s in schemes))
    if value and not _reachable(value):
        signs = (
            ", with the signs /, #, @ and % of a password written as %2F, %23, %40 and %25"
            if "@" in value
            else ""
        )
        raise BadSetting(name, value, f"a URL such as {schemes[0]}://host:1234{signs}")
    return value


def postgres(name: str, default: str) -> str:
    """A URL of Postgres, with our PATIENCE where it does not name its own."""
    value = text(name, default)
    try:
        given = _libpq(value) if _is_postgres(value) else {}
    except ValueError as error:
        reason = PASSWORD.sub(r"\1***@", str(error)).strip()
        raise BadSetting(name, value, f"a URL that Postgres' client can read ({reason})") from None
    value = url(name, default, POSTGRES)
    ours = urlencode({option: number for option, number in PATIENCE.items() if option not in given})
    bare = value.rstrip("?&")
    return f"{bare}{'&' if '?' in bare else '?'}{ours}" if ours else value


def redis(name: str, default: str) -> str:
    """A URL of Redis. Its client takes what is no number of a database for 0."""
    value = url(name, default, ("redis", "rediss", "unix"))
    parts = urlsplit(value)
    path = "" if parts.scheme == "unix" else parts.path.strip("/")
    number = dict(parse_qsl(parts.query)).get("db", path)
    if number and not (number.isascii() and number.isdigit()):
        raise BadSetting(
            name, value, "a URL that ends in the number of a database, such as redis://host:6379/0"
        )
    return value


def _reachable(value: str) -> bool:
    """Whether a URL has ports that can be some and, of a web server, a host and no blanks. Only a database has more
    than one."""
    try:
        if _is_postgres(value):
            ports = [int(port) for port in _libpq(value).get("port", "").split(",") if port]
            return all(0 < port < 2**16 for port in ports)
        parts = urlsplit(value)
        port, host = parts.port, parts.hostname
    except ValueError:
        return False
    return port != 0 and (parts.scheme not in {"http", "https"} or bool(host and not re.search(r"\s", value)))


def _is_postgres(value: str) -> bool:
    return value.startswith(tuple(f"{scheme}://" for scheme in POSTGRES))


def _libpq(value: str) -> dict[str, str]:
    """The parts of a URL as libpq reads them: it may name several servers, which Python's own parser takes for one with
    brackets in wrong places. Raises ValueError."""
    try:
        return {option: str(given) for option, given in conninfo_to_dict(value).items()}
    except psycopg.ProgrammingError as error:
        raise ValueError(str(error)) from error


def time_zone(name: str, default: str) -> str:
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise BadSetting(name, value, "a time zone such as Europe/Berlin") from None
    return value


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """A comma-separated list of addresses and networks, such as `10.0.0.0/8, ::1`."""
    found = []
    for item in listed(name):
        try:
            found.append(ip_network(item, strict=False))
        except ValueError:
            raise BadSetting(
                name, item, "addresses or networks such as 10.0.0.0/8, with commas between"
            ) from None
    return found


def database(name: str, default: str) -> dict[str, Any]:
    """Django's settings of the database of a postgresql:// URL, which may name several servers, with commas between;
    `?host=/folder` is a folder of sockets."""
    options: dict[str, Any] = _libpq(postgres(name, default))
    if not options.get("dbname"):
        raise BadSetting(name, text(name, default), "a URL that ends in the name of a database")
    ports = options.pop("port", "")
    return {
        "ENGINE": "retrieval.postgres",
        "NAME": options.pop("dbname"),
        "USER": options.pop("user", ""),
        "PASSWORD": options.pop("password", ""),
        "HOST": options.pop("host", ""),
        "PORT": ports if ports.strip(",") else "",
        "OPTIONS": options,
    }
