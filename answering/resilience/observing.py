"""What the defences report. The application implements `Observer` on its metrics; `Silent` hears nothing."""

from typing import Literal, Protocol

State = Literal["closed", "open", "half_open"]
HedgeResult = Literal["won", "lost", "failed", "denied"]


class Observer(Protocol):
    def hedge(self, dependency: str, result: HedgeResult) -> None:
        """A hedge of `dependency`'s call won, lost, failed, or was denied by budget, breaker or limit."""

    def breaker(self, dependency: str, state: State) -> None: ...

    def limit(self, dependency: str, limit: int, in_flight: int) -> None: ...

    def shed(self, priority: str) -> None: ...

    def token_rate(self, dependency: str, rate: float, usual: float) -> None:
        """Tokens a second of a stream that ended, and what is usual; a sag is an early sign of throttling."""


class Silent:
    def hedge(self, dependency: str, result: HedgeResult) -> None:
        pass

    def breaker(self, dependency: str, state: State) -> None:
        pass

    def limit(self, dependency: str, limit: int, in_flight: int) -> None:
        pass

    def shed(self, priority: str) -> None:
        pass

    def token_rate(self, dependency: str, rate: float, usual: float) -> None:
        pass
