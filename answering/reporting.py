"""Errors of answering as a reader meets them: an `error` frame, or an HTTP answer with the fitting status."""

from answering import events
from answering.errors import AnsweringError, QuotaExceeded, Refusal, Shed


def error_event(error: AnsweringError) -> events.Event:
    if isinstance(error, Refusal | Shed | QuotaExceeded):
        return events.error(error.code, _sentence(error), error.retry_after)
    return events.error(Refusal.code, Refusal.message)


def status_of(error: AnsweringError) -> int:
    return error.status if isinstance(error, Refusal | Shed | QuotaExceeded) else Refusal.status


def _sentence(error: AnsweringError) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
