"""Which of several servers to try first: the one that served last. The order of the URL alone would let every new
connection wait for the one that is gone, `connect_timeout` each."""

from collections.abc import Mapping
from typing import Any

from psycopg import BaseConnection
from psycopg.conninfo import conninfo_to_dict

_served: dict[str, tuple[str, str]] = {}


def in_order(conninfo: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The options of a connection that put that server first; `given` go before those of `conninfo`."""
    hosts, ports = _servers(conninfo, given)
    served = _served.get(",".join(hosts))
    if served is None:
        return {}
    host, port = served
    several = ports if len(ports) == len(hosts) else ports * len(hosts)
    servers = sorted(
        zip(hosts, several, strict=True), key=lambda server: server[0] != host or server[1] not in ("", port)
    )
    found = {"host": ",".join(host for host, _ in servers)}
    return found | {"port": ",".join(port for _, port in servers)} if len(ports) > 1 else found


def remember(conninfo: str, given: Mapping[str, Any], connection: BaseConnection[Any]) -> None:
    hosts, _ = _servers(conninfo, given)
    if len(hosts) > 1:
        _served[",".join(hosts)] = connection.info.host, str(connection.info.port)


def _servers(conninfo: str, given: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Hosts, and ports: one for all, or as many. Addresses beside the hosts are left as they are."""
    named = {**conninfo_to_dict(conninfo), **given}
    if named.get("hostaddr"):
        return [], []
    return str(named.get("host") or "").split(","), str(named.get("port") or "").split(",")
