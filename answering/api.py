"""The HTTP interface of asking: the same runs as the socket's, as server-sent events or as one JSON body."""

import math
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from django.contrib.auth.models import User
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from ninja import NinjaAPI, Query, Router, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer
from pydantic import Field

from answering import tokens
from answering.asking import LONGEST, question_text, read_ask
from answering.errors import AnsweringError, BadQuestion, SearchUnavailable, StoreUnavailable
from answering.events import Frame, wire
from answering.reporting import error_event, status_of
from answering.wiring import wiring
from retrieval.api import failing
from retrieval.api import router as documents
from retrieval.errors import RetrievalError
from retrieval.outages import is_outage
from retrieval.search import search

SEARCH_MOST = 100

CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    507: "no_room",
}
"""Of errors that have a status alone."""

REQUEST_ID = "X-Request-ID"
"""The run, as logs, traces and upstream calls name it."""

SSE_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def told(**more: Any) -> Any:
    """What the OpenAPI document says of a field that we check ourselves."""
    return Field(json_schema_extra=more)


Text = Annotated[str, told(minLength=1, maxLength=LONGEST, pattern=r"\S")]
Uuid = Annotated[str | None, told(format="uuid")]
EVENT = {"type": "object", "properties": {name: {"type": "string"} for name in ("event", "id", "data")}}
STREAM = {"text/event-stream": {"schema": EVENT}}


class AskBody(Schema):
    question: Text
    conversation: Uuid = None
    collections: list[str] | None = None
    fresh: bool = False
    id: Uuid = None


class Answer(Schema):
    """A whole answer. `citations` are the passages of the last citations frame."""

    run: str
    conversation: str
    answer: str
    html: str
    citations: list[dict[str, Any]]
    cited: list[int]
    finish: str
    route: str
    degraded: list[str]
    stages: list[dict[str, Any]]


async def events(frames: AsyncIterator[Frame]) -> AsyncIterator[bytes]:
    """Server-sent events: event = type, id = seq."""
    async for frame in frames:
        head = f"event: {frame['type']}\nid: {frame['seq']}\ndata: ".encode()
        yield head + wire(frame) + b"\n\n"


async def whole(frames: AsyncIterator[Frame]) -> dict[str, Any]:
    """The JSON body of an answer, or the error frame as it came."""
    answer: dict[str, Any] = {"answer": "", "citations": []}
    async for frame in frames:
        kind = frame["type"]
        if kind == "accepted":
            answer |= {"run": frame["run"], "conversation": frame["conversation"]}
        elif kind == "citations":
            answer["citations"] = frame["passages"]
        elif kind in {"delta", "replace"}:
            answer["answer"] = frame["text"] if kind == "replace" else answer["answer"] + frame["text"]
        elif kind == "done":
            answer |= {key: frame[key] for key in ("finish", "route", "degraded", "stages", "cited", "html")}
        elif kind == "error":
            return frame
    return answer


def error_response(status: int, code: str, message: str, retry_after: float | None = None) -> JsonResponse:
    response = JsonResponse({"error": {"code": code, "message": message}}, status=status)
    if status in {429, 503}:
        response["Retry-After"] = str(max(1, math.ceil(retry_after or 1)))
    return response


class TokenAuth(HttpBearer):
    """`Authorization: Bearer TOKEN`, for synchronous operations; `request.auth` is the user."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        return tokens.user_of(token)


class AsyncTokenAuth(HttpBearer):
    """The same on the question path, without the ORM; `request.auth` is the user's id."""

    async def authenticate(self, request: HttpRequest, token: str) -> int | None:
        built = await wiring()
        return await built.store.user_of_token(token)


router = Router(auth=AsyncTokenAuth(), tags=["questions"])


@router.post(
    "ask",
    response={200: Answer, **failing(400, 404, 413, 422, 429, 500)},
    summary="Ask a question",
    openapi_extra={"responses": {200: {"content": STREAM}}},
)
async def ask(request: HttpRequest, body: AskBody) -> HttpResponse | StreamingHttpResponse:
    """The frames of the socket as server-sent events with `Accept: text/event-stream`, else one JSON body."""
    fields = {**body.dict(), "id": str(uuid.uuid4()) if body.id is None else body.id}
    question = read_ask(fields, request.auth, "api")  # type: ignore[attr-defined]
    frames = await (await wiring()).ask(question)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return _stream(question.run, frames)
    return _whole(question.run, await whole(frames))


@router.get(
    "runs/{run}",
    response={200: Answer, **failing(404, 422, 500)},
    summary="An answer given before, or under way",
)
async def get_run(request: HttpRequest, run: uuid.UUID) -> HttpResponse:
    frames = await (await wiring()).runs.follow(str(run), request.auth)  # type: ignore[attr-defined]
    return _whole(str(run), await whole(frames))


@router.get(
    "runs/{run}/events",
    response={200: None, **failing(400, 404, 422)},
    summary="The frames of a run as server-sent events",
    openapi_extra={"responses": {200: {"content": STREAM}}},
)
async def get_events(
    request: HttpRequest, run: uuid.UUID, after: Annotated[int | None, told(minimum=0)] = None
) -> StreamingHttpResponse:
    """Those after number `after`, or after the header `Last-Event-ID`, which clients send that connect again."""
    if after is None:
        last = request.headers.get("Last-Event-ID", "")
        after = int(last) if re.fullmatch(r"[0-9]{1,9}", last) else 0
    if after < 0:
        raise BadQuestion("`after` must be a whole number from 0.")
    frames = await (await wiring()).runs.follow(str(run), request.auth, after)  # type: ignore[attr-defined]
    return _stream(str(run), frames)


class Found(Schema):
    """A passage, its rank in each leg (null where that leg did not find it) and its fused score."""

    document: str
    title: str
    collection: str
    heading: str
    page: int | None
    text: str
    url: str
    lexical_rank: int | None
    vector_rank: int | None
    score: float


@router.get("search", response={200: list[Found], **failing(400, 422)}, summary="Passages, without an answer")
async def get_search(
    request: HttpRequest,
    q: Text,
    k: Annotated[int, told(minimum=1, maximum=SEARCH_MOST)] = 10,
    collections: Annotated[list[str] | None, Query()] = None,
) -> list[dict[str, Any]]:
    """The best `k` (1 to 100) passages; `collections` are slugs, with commas between or the parameter repeated."""
    if not 1 <= k <= SEARCH_MOST:
        raise BadQuestion(f"`k` must be from 1 to {SEARCH_MOST}.")
    built = await wiring()
    slugs = (
        None
        if collections is None
        else [slug.strip() for slug in ",".join(collections).split(",") if slug.strip()]
    )
    scope = await built.store.scope(request.auth, slugs)  # type: ignore[attr-defined]
    found = await search(built.legs, scope, question_text({"q": q}, "q"), k)
    return [{**asdict(passage), "url": passage.url} for passage in found]


def _stream(run: str, frames: AsyncIterator[Frame]) -> StreamingHttpResponse:
    headers = {**SSE_HEADERS, REQUEST_ID: run}
    return StreamingHttpResponse(events(frames), content_type="text/event-stream", headers=headers)


def _whole(run: str, body: dict[str, Any]) -> HttpResponse:
    response = _json(body)
    response[REQUEST_ID] = run
    return response


def _json(body: dict[str, Any]) -> HttpResponse:
    if body.get("type") == "error":
        status = 503 if body["retry_after"] is not None else 500
        return error_response(status, body["code"], body["message"], body["retry_after"])
    return JsonResponse(body)


def build() -> NinjaAPI:
    """The whole HTTP interface, with errors in one form."""
    api = NinjaAPI(title="Citefirst", version="1", urls_namespace="api", docs_url=None)
    api.add_router("", router)
    api.add_router("", documents, auth=TokenAuth())

    @api.exception_handler(AnsweringError)
    def on_answering(request: HttpRequest, error: AnsweringError) -> HttpResponse:
        told = error_event(error).data
        return error_response(status_of(error), told["code"], told["message"], told["retry_after"])

    @api.exception_handler(RetrievalError)
    def on_retrieval(request: HttpRequest, error: RetrievalError) -> HttpResponse:
        told = SearchUnavailable()
        return error_response(told.status, told.code, str(told), told.retry_after)

    @api.exception_handler(DatabaseError)
    @api.exception_handler(InterfaceError)
    def on_database(request: HttpRequest, error: Exception) -> HttpResponse:
        """What is asked through the ORM; questions go another way to Postgres."""
        if not is_outage(error):
            raise error
        told = StoreUnavailable()
        return error_response(told.status, told.code, str(told), told.retry_after)

    @api.exception_handler(RequestDataTooBig)
    def on_too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
        return error_response(413, "too_large", "The request is too large.")

    @api.exception_handler(AuthenticationError)
    def on_authentication(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        response = error_response(401, "unauthorized", "Send a token: Authorization: Bearer TOKEN.")
        response["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(ValidationError)
    def on_validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
        first = error.errors[0]
        source, *names = map(str, first["loc"])
        field = ".".join(name for name in names if name != "body") or source
        return error_response(422, "bad_request", f"`{field}`: {first['msg']}.")

    @api.exception_handler(HttpError)
    def on_http(request: HttpRequest, error: HttpError) -> HttpResponse:
        return error_response(error.status_code, CODES.get(error.status_code, "error"), str(error))

    return api
