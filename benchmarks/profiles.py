"""The profiles: what the simulated servers do, and how often questions come. Latencies as in `manage.py
upstream`; shares are of requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Any]
CALM = "lognormal:p50=200,p99=600"
"""The first token of an upstream on a good day."""

QUICK = {"embedding": "lognormal:p50=15,p99=40"}
SHORT = {"tokens": 30, "token_gap": "fixed:10"}


@dataclass(frozen=True, slots=True)
class Change:
    """At `at` seconds a server (`a`, `b`, `embedder`) or a proxy (`postgres`, `redis`) behaves otherwise."""

    at: float
    whom: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Profile:
    """`rate` questions a second until `count` have come; `model` is how both upstreams behave, `a` and `b` what
    only one of them does. Each leg of the search takes `search_seconds`, or what it takes if that is more;
    `budgets` are in milliseconds; `priorities` are dealt by share; `warm` questions come first and are
    not counted; `beside`: the baseline runs at the same time, else after."""

    name: str
    about: str
    rate: float
    count: int
    model: Settings
    a: Settings = field(default_factory=dict)
    b: Settings = field(default_factory=dict)
    embedder: Settings = field(default_factory=lambda: QUICK)
    changes: Sequence[Change] = ()
    search_seconds: float = 0.0
    budgets: Mapping[str, int] = field(default_factory=dict)
    priorities: Mapping[str, float] = field(default_factory=lambda: {"interactive": 1.0})
    baseline: int = 0
    beside: bool = True
    warm: int = 0

    def settings(self, server: str) -> Settings:
        """What the server is told: both models get `model`, and then their own."""
        if server == "embedder":
            return self.embedder
        return {**self.model, **(self.a if server == "a" else self.b)}


OUTAGE_AT = 15.0

STEADY = Profile(
    "steady",
    "embedding 400 ms, each search 150 ms, first token 1.2 s, 100 tokens; 50 questions at once",
    rate=18,
    count=800,
    model={"first_token": "fixed:1200", "token_gap": "fixed:10", "tokens": 100},
    embedder={"embedding": "fixed:400"},
    search_seconds=0.150,
    baseline=200,
    beside=False,
    warm=50,
)
JAGGED = Profile(
    "jagged",
    "first token p50 0.2 s, p95 2.3 s, p99 8 s, 2 % hang; independent upstreams",
    rate=24,
    count=5100,
    model=dict(first_token="jagged", hang=0.02, **SHORT),
    budgets={"usable": 1500},
    baseline=700,
)
CORRELATED = Profile(
    "correlated tail",
    "jagged, and half of all questions are equally slow at both upstreams",
    rate=20,
    count=700,
    model=dict(first_token="jagged", hang=0.02, correlation=0.5, **SHORT),
    budgets={"usable": 1500},
    baseline=250,
)
STALL_BEFORE = Profile(
    "stall before",
    "10 % of the streams never give a token, but keep the line busy",
    rate=18,
    count=400,
    model=dict(first_token=CALM, hang=0.10, keepalive=0.5, **SHORT),
    baseline=150,
)
STALL_AFTER = Profile(
    "stall after",
    "10 % of the streams fall silent after 20 tokens",
    rate=18,
    count=400,
    model=dict(first_token=CALM, stall=0.10, **SHORT),
    baseline=150,
)
CUT = Profile(
    "cut",
    "10 % of the streams are cut after 20 tokens",
    rate=18,
    count=300,
    model=dict(first_token=CALM, cut=0.10, **SHORT),
    baseline=100,
)
THROTTLED = Profile(
    "429",
    "30 % of the first upstream's requests are throttled, with Retry-After: 1",
    rate=18,
    count=400,
    model=dict(first_token=CALM, **SHORT),
    a={"throttled": 0.3, "retry_after": 1.0},
    baseline=150,
)
BURST = Profile(
    "5xx burst",
    "the first upstream fails 80 % for 3 s in every 10 s",
    rate=18,
    count=480,
    model=dict(first_token=CALM, **SHORT),
    a={"burst_every": 10.0, "burst_for": 3.0, "burst_errors": 0.8},
    baseline=150,
)
DRIP = Profile(
    "slow drip",
    "5 % of the streams send a token a second",
    rate=18,
    count=300,
    model=dict(first_token=CALM, drip=0.05, drip_gap=1.0, **SHORT),
    baseline=100,
)
REFUSED = Profile(
    "refused",
    "the first upstream refuses connections from 15 s on",
    rate=20,
    count=700,
    model=dict(first_token=CALM, **SHORT),
    changes=[Change(OUTAGE_AT, "a", {"refuse": True})],
    baseline=200,
)
SILENT = Profile(
    "one hangs",
    "the first upstream answers nothing any more from 15 s on",
    rate=20,
    count=700,
    model=dict(first_token=CALM, **SHORT),
    changes=[Change(OUTAGE_AT, "a", {"hang": 1.0})],
    baseline=200,
)
BOTH_FAIL = Profile(
    "both fail",
    "both upstreams answer 5xx from 10 s on",
    rate=18,
    count=400,
    model=dict(first_token=CALM, **SHORT),
    changes=[Change(10.0, "a", {"errors": 1.0}), Change(10.0, "b", {"errors": 1.0})],
    baseline=100,
)
BOTH_HANG = Profile(
    "both hang",
    "both upstreams hang from 10 s on",
    rate=18,
    count=400,
    model=dict(first_token=CALM, **SHORT),
    changes=[Change(10.0, "a", {"hang": 1.0}), Change(10.0, "b", {"hang": 1.0})],
    baseline=100,
)
EMBEDDER_HUNG = Profile(
    "embedder hung",
    "the embedder hangs from 5 s on",
    rate=18,
    count=400,
    model=dict(first_token=CALM, **SHORT),
    changes=[Change(5.0, "embedder", {"embedding_hang": 1.0})],
    baseline=100,
)
POSTGRES_SLOW = Profile(
    "postgres slow",
    "each round trip to Postgres takes 300 ms more from 5 s on",
    rate=10,
    count=250,
    model=dict(first_token=CALM, **SHORT),
    changes=[Change(5.0, "postgres", {"delay": 0.3})],
    baseline=100,
)
REDIS_GONE = Profile(
    "redis gone",
    "Redis refuses connections from 5 s on",
    rate=18,
    count=300,
    model=dict(first_token=CALM, **SHORT),
    changes=[Change(5.0, "redis", {"mode": "refuse"})],
    baseline=100,
)

PLACES = 6
SERVICE = 1.48  # seconds: first token 0.3, then 59 gaps of 20 ms
CAPACITY = 2 * PLACES / SERVICE
"""Answers a second that both upstreams together can give, in the overload profiles."""

LOADED = {"first_token": "fixed:300", "token_gap": "fixed:20", "tokens": 60, "capacity": PLACES}
MIX = {"interactive": 0.25, "api": 0.4, "follow_up": 0.1, "batch": 0.25}
UNLOADED = Profile(
    "0.8 x capacity",
    f"upstreams with {PLACES} places each; questions at 0.8 x what they can answer",
    rate=0.8 * CAPACITY,
    count=260,
    model=LOADED,
    priorities=MIX,
)
OVERLOAD = Profile(
    "3 x capacity",
    f"upstreams with {PLACES} places each, over which requests wait; questions at 3 x what they can answer",
    rate=3 * CAPACITY,
    count=1000,
    model=LOADED,
    priorities=MIX,
    baseline=400,
    beside=False,
)
OVERLOAD_429 = Profile(
    "3 x, throttled",
    "the same, but over their places the upstreams answer 429",
    rate=3 * CAPACITY,
    count=1000,
    model=dict(**LOADED, over_capacity="throttle", retry_after=1.0),
    priorities=MIX,
)

ALL = (
    *(STEADY, JAGGED, CORRELATED, STALL_BEFORE, STALL_AFTER, CUT, THROTTLED, BURST, DRIP, REFUSED, SILENT),
    *(BOTH_FAIL, BOTH_HANG, EMBEDDER_HUNG, POSTGRES_SLOW, REDIS_GONE, UNLOADED, OVERLOAD, OVERLOAD_429),
)
