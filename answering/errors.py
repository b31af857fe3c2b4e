"""The errors of answering.

AnsweringError
 ├─ GenerationError             the models gave no whole answer
 │   ├─ AllUpstreamsFailed      none could be asked, or each failed before its first token; `causes`
 │   ├─ FirstTokenTimeout       no first token within the budget
 │   ├─ EmptyAnswer             it came to its end, and nothing in it can be shown
 │   ├─ StreamCut               it ended early, after its first token; `partial`, `reason`
 │   └─ UpstreamError           one call of one upstream failed; `upstream`
 │       ├─ UpstreamUnreachable refused, reset, no such host
 │       ├─ UpstreamTimeout     it did not answer in time
 │       ├─ UpstreamThrottled   429; `retry_after` in seconds, 0 when not said
 │       ├─ UpstreamBroken      5xx, an error inside the stream, bad credentials
 │       ├─ UpstreamMalformed   it does not speak the protocol, or the stream was empty
 │       └─ UpstreamRejected    it refuses this request (too long, say); says nothing of its health
 ├─ Refusal                     what a reader is told; `code`, HTTP `status`, `retry_after` in seconds
 │   ├─ NotFound                no such run or conversation, or it is another's
 │   ├─ BadQuestion             the question itself cannot be asked
 │   ├─ StoreUnavailable        Postgres does not answer, so nothing is known of what the asker may read
 │   ├─ SearchUnavailable       neither leg of the search answers
 │   └─ Overdue                 nothing came of it before its deadline
 ├─ Shed                        at capacity; `retry_after` in seconds
 └─ QuotaExceeded               this user asked too often; `retry_after` in seconds

Errors of other libraries are translated into these once, in the adapter that calls the library.
"""

import math
from collections.abc import Sequence


class AnsweringError(Exception):
    """Something in answering failed."""


class GenerationError(AnsweringError):
    """The models gave no whole answer."""


class AllUpstreamsFailed(GenerationError):
    """No upstream could be asked, or each failed before its first token."""

    def __init__(self, causes: Sequence["UpstreamError"] = ()) -> None:
        reasons = "; ".join(str(cause) for cause in causes)
        super().__init__(
            f"every upstream failed: {reasons}" if reasons else "every upstream is known to be down"
        )
        self.causes = tuple(causes)


class FirstTokenTimeout(GenerationError, TimeoutError):
    """No first token within the budget."""


class EmptyAnswer(GenerationError):
    """The answer has no words but blanks and citations of nothing."""


class StreamCut(GenerationError):
    """The stream ended early, after its first token."""

    def __init__(self, partial: str, reason: str) -> None:
        super().__init__(f"the stream ended early ({reason}) after {len(partial)} characters")
        self.partial = partial
        self.reason = reason


class UpstreamError(GenerationError):
    """One call of one upstream failed."""

    def __init__(self, upstream: str, message: str) -> None:
        super().__init__(f"{upstream}: {message}")
        self.upstream = upstream


class UpstreamUnreachable(UpstreamError):
    """The upstream cannot be reached."""


class UpstreamTimeout(UpstreamError):
    """The upstream did not answer in time."""


class UpstreamThrottled(UpstreamError):
    """The upstream asks us to slow down."""

    def __init__(self, upstream: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(upstream, message)
        self.retry_after = retry_after


class UpstreamBroken(UpstreamError):
    """The upstream failed."""


class UpstreamMalformed(UpstreamError):
    """The upstream does not speak the protocol."""


class UpstreamRejected(UpstreamError):
    """The upstream refuses this request."""


class Refusal(AnsweringError):
    """The reader is told this."""

    code = "internal"
    status = 500
    message = "Something went wrong here. Please ask again."

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message or self.message)
        self.retry_after = retry_after


class NotFound(Refusal):
    """There is no such thing, or it is another's: nobody can tell which."""

    code = "not_found"
    status = 404
    message = "There is no such run or conversation."


class BadQuestion(Refusal):
    """The question itself cannot be asked."""

    code = "bad_request"
    status = 400


class StoreUnavailable(Refusal):
    """Postgres does not answer."""

    code = "unavailable"
    status = 503
    message = "The document store cannot be reached right now, so nothing can be answered safely. Try again."

    def __init__(self, message: str = "", retry_after: float | None = 5) -> None:
        super().__init__(message, retry_after)


class SearchUnavailable(StoreUnavailable):
    """Neither leg of the search answers."""

    code = "search_unavailable"
    message = "The documents cannot be searched right now. Please try again."


class Overdue(StoreUnavailable):
    """Nothing came of it before its deadline."""

    code = "deadline"
    message = "No answer came in time. Please try again."


class Shed(AnsweringError):
    """The application is at capacity."""

    code = "at_capacity"
    status = 503

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"at capacity, try again in {math.ceil(retry_after)} s")
        self.retry_after = retry_after


class QuotaExceeded(AnsweringError):
    """This user asked too often."""

    code = "quota_exceeded"
    status = 429

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"too many questions, try again in {math.ceil(retry_after)} s")
        self.retry_after = retry_after
