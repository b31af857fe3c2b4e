"""How a simulated upstream behaves, and what befalls one request.

What befalls a request is drawn from the seed, the request's id and how often this server has seen that id,
and from nothing else: another process that knows the settings computes the same draws, and so what the best
policy could do.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from answering.upstream.latency import Latency, parse

Kind = Literal["chat", "embedding", "rerank"]
Fate = Literal["ok", "throttled", "error", "malformed", "hang", "stall", "cut", "drip"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Shares are of requests, 0 to 1, and exclude each other; distributions are written as in `latency`."""

    first_token: str = "fixed:200"
    token_gap: str = "fixed:10"
    embedding: str = "fixed:20"
    rerank: str = "fixed:20"
    tokens: int = 100
    reasoning: int = 0  # tokens of thoughts before the answer
    reasoning_in: str = "reasoning_content"  # or reasoning; text, unopened: `<think>` in the answer's own
    dimensions: int = 384
    hang: float = 0.0  # nothing is sent, for ever
    stall: float = 0.0  # after `stall_after` tokens nothing more is sent, for ever
    stall_after: int = 20
    keepalive: float = 0.0  # seconds between comments while a stream hangs or stalls; 0: none
    throttled: float = 0.0  # 429
    retry_after: float = 1.0  # seconds, sent with each 429
    errors: float = 0.0  # 500, 502, 503
    malformed: float = 0.0  # 200 and nonsense
    cut: float = 0.0  # the connection is closed after `stall_after` tokens
    drip: float = 0.0  # `drip_gap` seconds between tokens
    drip_gap: float = 1.0
    embedding_hang: float = 0.0
    embedding_errors: float = 0.0
    embedding_throttled: float = 0.0
    embedding_malformed: float = 0.0
    refuse: bool = False  # no one listens, open connections are closed
    capacity: int = 0  # chats at once; 0: no limit
    over_capacity: str = "queue"  # queue, throttle, slow (latency grows with the load)
    burst_every: float = 0.0  # seconds; 0: no bursts
    burst_for: float = 0.0  # seconds from the start of each period
    burst_errors: float = 0.0  # share of 5xx while a burst lasts
    burst_slow: float = 1.0  # factor on first-token latency while a burst lasts
    invent: bool = False  # also cite a passage that was not sent
    seed: int = 0
    shared_seed: int = 0
    correlation: float = 0.0  # share of requests drawn from `shared_seed`, the same ones on every server

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
        known = {field.name: type(field.default) for field in fields(self)}
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
    """What befalls one request: `latency` in seconds to the first token (or the whole reply); `pace` and
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
