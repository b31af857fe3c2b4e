"""How a simulated upstream behaves, and what happens to one request.

What happens to a request is drawn from the seed, the request's id and how often this server has seen that id,
and from nothing else: another process that knows the settings computes the same draws, and so what the best
policy could do.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from answering.upstream.latency import Latency, parse

Kind = Literal["chat", "embedding", "rerank"]
Value = TypeVar("Value")
Fate = Literal["ok", "throttled", "error", "malformed", "hang", "stall", "cut", "drip"]


def _option(default: Value, metavar: str, help: str) -> Value:
    """A field with what `manage.py upstream --help` says of it."""
    options: Value = field(default=default, metadata={"metavar": metavar, "help": help})
    return options


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Shares are of requests, 0 to 1, and exclude each other; latencies are written as in `latency`."""

    first_token: str = _option("fixed:200", "LATENCY", "until the first token")
    token_gap: str = _option("fixed:10", "LATENCY", "between tokens")
    embedding: str = _option("fixed:20", "LATENCY", "of an embedding")
    rerank: str = _option("fixed:20", "LATENCY", "of a reranking")
    tokens: int = _option(100, "N", "tokens of an answer")
    reasoning: int = _option(0, "N", "tokens of thoughts before the answer")
    reasoning_in: str = _option(
        "reasoning_content",
        "FIELD",
        "where thoughts are: reasoning_content, reasoning, text (<think> in the answer's own) or unopened (the same"
        " without <think>)",
    )
    dimensions: int = _option(384, "N", "of an embedding")
    hang: float = _option(0.0, "SHARE", "nothing is ever sent")
    stall: float = _option(0.0, "SHARE", "nothing more is sent after --stall-after tokens")
    stall_after: int = _option(20, "N", "tokens before a stall or a cut")
    keepalive: float = _option(0.0, "SECONDS", "between comments while a stream hangs or stalls; 0: none")
    throttled: float = _option(0.0, "SHARE", "status 429")
    retry_after: float = _option(1.0, "SECONDS", "sent with each 429")
    errors: float = _option(0.0, "SHARE", "status 500, 502 or 503")
    malformed: float = _option(0.0, "SHARE", "status 200 and nonsense")
    cut: float = _option(0.0, "SHARE", "the connection is closed after --stall-after tokens")
    drip: float = _option(0.0, "SHARE", "tokens come --drip-gap apart")
    drip_gap: float = _option(1.0, "SECONDS", "between the tokens of a drip")
    embedding_hang: float = _option(0.0, "SHARE", "embeddings that never come")
    embedding_errors: float = _option(0.0, "SHARE", "embeddings that fail with 500, 502 or 503")
    embedding_throttled: float = _option(0.0, "SHARE", "embeddings that are answered with 429")
    embedding_malformed: float = _option(0.0, "SHARE", "embeddings that are nonsense")
    refuse: bool = _option(False, "", "refuse connections, and close those that are open")
    capacity: int = _option(0, "N", "chats at once; 0: no limit")
    over_capacity: str = _option(
        "queue",
        "HOW",
        "what happens beyond --capacity: queue, throttle or slow (latency grows with the load)",
    )
    burst_every: float = _option(0.0, "SECONDS", "from one burst of trouble to the next; 0: no bursts")
    burst_for: float = _option(0.0, "SECONDS", "how long each burst lasts")
    burst_errors: float = _option(0.0, "SHARE", "status 5xx during a burst")
    burst_slow: float = _option(1.0, "FACTOR", "on the time to the first token during a burst")
    invent: bool = _option(False, "", "also cite a passage that was not sent")
    seed: int = _option(0, "N", "of what happens to each request")
    shared_seed: int = _option(0, "N", "of the requests of --correlation")
    correlation: float = _option(
        0.0, "SHARE", "requests that fare the same on all servers of one --shared-seed"
    )

    def __post_init__(self) -> None:
        for name in ("first_token", "token_gap", "embedding", "rerank"):
            parse(getattr(self, name))
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1")
        if self.over_capacity not in {"queue", "throttle", "slow"}:
            raise ValueError("over_capacity must be queue, throttle or slow")
        if self.reasoning_in not in {"reasoning_content", "reasoning", "text", "unopened"}:
            raise ValueError("reasoning_in must be reasoning_content, reasoning, text or unopened")

    def changed(self, **changes: Any) -> "Behaviour":
        """A copy with `changes`. Raises ValueError on an unknown name or a value of another type."""
        known = {known.name: type(known.default) for known in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"{name} is no setting of the upstream")
            if type(value) is not known[name] and not (known[name] is float and type(value) is int):
                raise ValueError(f"{name} must be of type {known[name].__name__}")
        return replace(self, **changes)

    def latency(self, kind: Kind) -> Latency:
        return parse(self.first_token if kind == "chat" else getattr(self, kind))

    def shares(self, kind: Kind) -> Mapping[Fate, float]:
        """The share of each fate other than `ok`."""
        if kind == "embedding":
            return {
                "throttled": self.embedding_throttled,
                "error": self.embedding_errors,
                "malformed": self.embedding_malformed,
                "hang": self.embedding_hang,
            }
        return {
            "throttled": self.throttled,
            "error": self.errors,
            "malformed": self.malformed,
            "hang": self.hang,
            "stall": self.stall,
            "cut": self.cut,
            "drip": self.drip,
        }


SHARES = (
    *("hang", "stall", "throttled", "errors", "malformed", "cut", "drip", "burst_errors", "correlation"),
    *("embedding_hang", "embedding_errors", "embedding_throttled", "embedding_malformed"),
)


@dataclass(frozen=True, slots=True)
class Draw:
    """What happens to one request: `latency` in seconds to the first token (or the whole reply); `pace` and
    `spare` in [0, 1) pick the token gap and whatever else must be chosen."""

    fate: Fate
    latency: float
    pace: float
    spare: float


def draw(behaviour: Behaviour, kind: Kind, key: str, attempt: int = 0) -> Draw:
    """The draw of the `attempt`th request (from 0) with id `key` at a server that behaves like this."""
    shared = uniform(behaviour.shared_seed, "shared", kind, key, attempt) < behaviour.correlation
    seed = behaviour.shared_seed if shared else behaviour.seed
    chance = uniform(seed, "fate", kind, key, attempt)
    fate: Fate = "ok"
    for name, share in behaviour.shares(kind).items():
        if chance < share:
            fate = name
            break
        chance -= share
    return Draw(
        fate,
        behaviour.latency(kind).at(uniform(seed, "latency", kind, key, attempt)),
        uniform(seed, "pace", kind, key, attempt),
        uniform(seed, "spare", kind, key, attempt),
    )


def uniform(*parts: object) -> float:
    """A number in [0, 1) that depends on `parts` alone."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
