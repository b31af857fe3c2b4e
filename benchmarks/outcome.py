"""What one profile came to: the questions of both pipelines, the calls that the servers saw, and the oracle."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from answering.upstream import Behaviour
from answering.upstream.tally import Call
from benchmarks.figures import Asked, quantile, shown, since_asked
from benchmarks.oracle import Policy, Seconds, best_of_all, best_reissue, clairvoyant, first_tokens
from benchmarks.profiles import Profile

MODEL = {"complete", "partial"}
"""Finishes that hold a model's words."""


@dataclass(slots=True)
class Outcome:
    """`start` is when the first question that counts came; `cpu` in seconds is this process' own while our
    pipeline ran alone, else not a number; `counters` are the application's, as far as they grew, and `errors` what
    it logged as such."""

    profile: Profile
    behaviours: Mapping[str, Behaviour]
    start: float = 0.0
    ours: list[Asked] = field(default_factory=list)
    baseline: list[Asked] = field(default_factory=list)
    calls: Mapping[str, Mapping[str, list[Call]]] = field(default_factory=dict)
    cpu: float = math.nan
    counters: Mapping[str, float] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def of(self, asked: Asked) -> list[tuple[str, Call]]:
        """The model calls made for a question, (server, call), in the order of their arrival."""
        found = [(name, call) for name in ("a", "b") for call in self.calls[name].get(asked.id, ())]
        return sorted(found, key=lambda pair: pair[1].arrived)

    @property
    def extra(self) -> float:
        """Model calls beyond one for each question that made any, as a share of those questions."""
        counts = [len(self.of(asked)) for asked in self.ours]
        made = [count for count in counts if count]
        return sum(count - 1 for count in made) / len(made) if made else 0.0

    def model_seconds(self, asked: Sequence[Asked]) -> list[float]:
        """From the first call's arrival at an upstream to the first token shown, for questions that made a
        call; infinite where no token came."""
        firsts = [(each, self.of(each)) for each in asked]
        return [each.first_token - calls[0][1].arrived for each, calls in firsts if calls]

    def draws(self) -> tuple[Seconds, Seconds]:
        """The first tokens' draws of each question: at the upstream that was asked first, and at the other."""
        made = [(asked.id, calls[0][0]) for asked in self.ours if (calls := self.of(asked))]
        ids = [key for key, _ in made]
        at = {name: first_tokens(self.behaviours[name], ids) for name in ("a", "b")}
        asked_a = np.array([name == "a" for _, name in made])
        return np.where(asked_a, at["a"], at["b"]), np.where(asked_a, at["b"], at["a"])

    def oracle(self, *shares: float) -> Policy:
        """The one policy, with as many extra calls as ours made, that serves these quantiles best."""
        first, second = self.draws()
        return best_of_all(first, second, extra=self.extra, quantiles=shares)

    def bound(self, share: float) -> float:
        """What a policy could reach at this quantile that has to serve no other."""
        first, second = self.draws()
        return best_reissue(first, second, extra=self.extra, quantile=share).seconds[0]

    def foresight(self, share: float) -> float:
        return quantile(clairvoyant(*self.draws()).tolist(), share)

    def later(self, seconds: float) -> list[Asked]:
        """The questions that came `seconds` or more after the start."""
        return [asked for asked in self.ours if asked.asked >= self.start + seconds]

    def before(self, seconds: float) -> list[Asked]:
        return [asked for asked in self.ours if asked.asked < self.start + seconds]


COLUMNS = (
    *("profile", "who", "asked", "answered", "1st source p50", "p99", "1st token p50", "p95", "p99"),
    *("usable p50", "p99", "end p99", "extra calls", "how it ended"),
)


def rows(outcome: Outcome) -> list[list[str]]:
    """The lines of a profile in the table: ours, the baseline and the oracle."""
    table = [_line(outcome.profile.name, "citefirst", outcome.ours, shown(outcome.extra, "%"))]
    if outcome.baseline:
        table.append(_line("", "sequential", outcome.baseline, "0 %"))
    if "capacity" not in outcome.profile.model and not outcome.profile.changes:
        one = ["", *(shown(seconds, "s") for seconds in outcome.oracle(0.95, 0.99).seconds)]
        each = [shown(outcome.bound(share), "s") for share in (0.5, 0.95, 0.99)]
        seen = [shown(outcome.foresight(share), "s") for share in (0.5, 0.95, 0.99)]
        model = outcome.model_seconds(outcome.ours)
        own = [shown(quantile(model, share), "s") for share in (0.5, 0.95, 0.99)]
        blank = ["", "", "", ""]
        tail = ["", "", "", shown(outcome.extra, "%")]
        table.append(["", "citefirst, model alone", *blank, *own, *tail, ""])
        table.append(["", "oracle, as many calls", *blank, *one, *tail, ""])
        table.append(["", "another for each percentile", *blank, *each, *tail, ""])
        table.append(["", "oracle with foresight", *blank, *seen, "", "", "", "0 %", ""])
    return table


def _line(profile: str, who: str, asked: Sequence[Asked], extra: str) -> list[str]:
    def at(moment: str, share: float) -> str:
        return shown(quantile(since_asked(asked, lambda each: float(getattr(each, moment))), share), "s")

    answered = sum(not math.isinf(each.usable) for each in asked) / max(len(asked), 1)
    ends = Counter(each.finish or "nothing" for each in asked)
    return [
        *(profile, who, str(len(asked)), shown(answered, "%")),
        *(at("first_citation", 0.5), at("first_citation", 0.99)),
        *(at("first_token", 0.5), at("first_token", 0.95), at("first_token", 0.99)),
        *(at("usable", 0.5), at("usable", 0.99), at("ended", 0.99), extra),
        ", ".join(f"{finish} {count}" for finish, count in ends.most_common()),
    ]
