"""The cap of every stage, in seconds, built once from the settings. What each gives way to is in `pipeline.py`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Budgets:
    """Seconds. Each is a cap inside the one deadline of a run, which is `answer`."""

    lexical: float = 0.5
    embed: float = 1.0
    vector: float = 0.5
    rerank: float = 0.3
    context: float = 0.15
    first_token: float = 3.0
    token_gap: float = 2.0
    usable: float = 2.5
    answer: float = 20.0

    @classmethod
    def defaults(cls) -> dict[str, float]:
        """Name -> seconds."""
        return asdict(cls())

    @classmethod
    def from_milliseconds(cls, values: Mapping[str, int]) -> "Budgets":
        """What is not given has its default. Raises ImproperlyConfigured, naming the setting, where stages that follow
        each other do not fit."""
        given = [field.name for field in fields(cls) if field.name in values]
        budgets = cls(**{name: values[name] / 1000 for name in given})
        budgets.check()
        return budgets

    def reading(self, elapsed: float, *, first: bool, behind: bool) -> float:
        """For reading passages, `elapsed` seconds into a run. Nothing takes the place of the `first` ones: late
        sources are better than none, and the more so where this process is `behind`, as when many ask at once."""
        if not first:
            return self.vector
        return max(self.vector, (self.answer / 2 if behind else 2 * self.usable) - elapsed)

    def check(self) -> None:
        path = {
            "EMBED": self.embed,
            "VECTOR": self.vector,
            "CONTEXT": self.context,
            "FIRST_TOKEN": self.first_token,
        }
        total = sum(path.values())
        if total > self.answer:
            names = " + ".join(f"BUDGET_{name}_MS" for name in path)
            raise ImproperlyConfigured(
                f"{names} = {total * 1000:.0f} cannot be used: these stages follow each other and must fit in "
                f"BUDGET_ANSWER_MS={self.answer * 1000:.0f}."
            )
        if self.usable > self.answer:
            raise ImproperlyConfigured(
                f"BUDGET_USABLE_MS={self.usable * 1000:.0f} cannot be used: it must not be over "
                f"BUDGET_ANSWER_MS={self.answer * 1000:.0f}."
            )
