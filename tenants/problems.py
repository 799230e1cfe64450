"""What the API says when it cannot do what was asked: RFC 9457 problem details, for everything that fails.

`exception_handler` turns what a view raises into a problem and undoes what the request has written.
`ApiMiddleware`, outermost, gives every request its id and turns into a problem what never reached a view:
an unknown path, a host that is not ours, a database that is away.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, BadRequest
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework import exceptions
from rest_framework.response import Response

from tenants.context import active_tenant

log = logging.getLogger("perennial.api")

API: Final = "/api/"
CONTENT_TYPE: Final = "application/problem+json"
DOCS: Final = "/api/v1/docs/problems"
REQUEST_ID: Final = "X-Request-Id"


@dataclass(frozen=True)
class Kind:
    """A kind of problem; its page says what to do about it."""

    slug: str
    status: int
    title: Promise
    advice: Promise

    @property
    def type(self) -> str:
        return f"{DOCS}#{self.slug}"


_KINDS = (
    Kind(
        "bad-json",
        400,
        gettext_lazy("The body is not JSON"),
        gettext_lazy("Send valid JSON in UTF-8. The detail says where reading stopped."),
    ),
    Kind(
        "bad-parameter",
        400,
        gettext_lazy("The query string does not work"),
        gettext_lazy("Each entry of errors names a parameter. Unknown ones are refused, so that a typing "
                     "error cannot widen what you ask for."),
    ),
    Kind(
        "invalid",
        400,
        gettext_lazy("Some fields are wrong"),
        gettext_lazy("Each entry of errors points at a field. All of them are listed; nothing was written."),
    ),
    Kind(
        "bad-request",
        400,
        gettext_lazy("The request does not work"),
        gettext_lazy("The detail says why."),
    ),
    Kind(
        "not-authenticated",
        401,
        gettext_lazy("Who is asking?"),
        gettext_lazy("Send the header “Authorization: Bearer pn_…” with a token that is neither expired nor revoked."),
    ),
    Kind(
        "forbidden",
        403,
        gettext_lazy("Not allowed"),
        gettext_lazy("The detail names the permission that is missing. A token needs it in its scopes, and its "
                     "member in the role."),
    ),
    Kind(
        "not-found",
        404,
        gettext_lazy("There is no such thing"),
        gettext_lazy("What does not exist and what belongs to somebody else look the same."),
    ),
    Kind(
        "method-not-allowed",
        405,
        gettext_lazy("This cannot be done here"),
        gettext_lazy("The header Allow lists what can."),
    ),
    Kind(
        "not-acceptable",
        406,
        gettext_lazy("There is no such form of answer"),
        gettext_lazy("Answers are application/json."),
    ),
    Kind(
        "conflict",
        409,
        gettext_lazy("Somebody else has this already"),
        gettext_lazy("Either the name is taken (then errors points at it; upsert by external id instead), or "
                     "somebody wrote the same at the same moment: send it again."),
    ),
    Kind(
        "stale",
        412,
        gettext_lazy("Somebody has changed it since you read it"),
        gettext_lazy("The header If-Match does not name what is in force now; nothing was written. Read it again, "
                     "look at what has changed, and send your change with the new ETag."),
    ),
    Kind(
        "too-large",
        413,
        gettext_lazy("The body is too large"),
        gettext_lazy("GET /api/v1/me says how much fits. Send several smaller batches."),
    ),
    Kind(
        "unsupported-media-type",
        415,
        gettext_lazy("The body has the wrong type"),
        gettext_lazy("Send Content-Type: application/json."),
    ),
    Kind(
        "invalid-policy",
        422,
        gettext_lazy("The policy does not work"),
        gettext_lazy("Each entry of errors points at a setting, or at what is sent along with it. All of them are "
                     "listed; nothing was written."),
    ),
    Kind(
        "not-written",
        424,
        gettext_lazy("Not written, because another row failed"),
        gettext_lazy("In the mode all_or_none one bad row keeps the others out. Mend it and send all of them again."),
    ),
    Kind(
        "if-match-missing",
        428,
        gettext_lazy("Say what your change rests on"),
        gettext_lazy("Send the header If-Match with the ETag of what you have read, so that nobody's change is "
                     "overwritten unseen."),
    ),
    Kind(
        "too-many-requests",
        429,
        gettext_lazy("Too many requests"),
        gettext_lazy("Wait as long as the header Retry-After says."),
    ),
    Kind(
        "server-error",
        500,
        gettext_lazy("Something broke on our side"),
        gettext_lazy("Nothing was written. Tell us the request_id: the log has the rest."),
    ),
    Kind(
        "unavailable",
        503,
        gettext_lazy("Not available at the moment"),
        gettext_lazy("Try again in a minute."),
    ),
)  # fmt: skip
KINDS: Final[Mapping[str, Kind]] = {kind.slug: kind for kind in _KINDS}
_BY_STATUS: Final[Mapping[int, Kind]] = {kind.status: kind for kind in reversed(_KINDS)} | {400: KINDS["bad-request"]}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where ("#/lines/0/quantity" in the body, "?limit" in the query), what, in words."""

    pointer: str
    code: str
    detail: str

    def as_json(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail}


class BadParameters(exceptions.APIException):
    """The query string has unknown or wrong parameters; `faults` are all of them."""

    status_code = 400

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(_some_are_wrong(len(faults)))
        self.faults = faults


class Unprocessable(exceptions.APIException):
    """The body is well formed, and what it asks for does not work; `faults` are all that is wrong."""

    status_code = 422

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(_some_are_wrong(len(faults)))
        self.faults = faults


class Stale(exceptions.APIException):
    """If-Match names something else than what is there; `etag` is what is."""

    status_code = 412

    def __init__(self, etag: str) -> None:
        super().__init__(_("If-Match would have to be %(etag)s.") % {"etag": etag})


class IfMatchMissing(exceptions.APIException):
    """A change without If-Match, where it must not overwrite what its writer has not seen."""

    status_code = 428

    def __init__(self) -> None:
        super().__init__(_("The header If-Match is missing."))


class TooLarge(exceptions.APIException):
    """The body is larger than we read."""

    status_code = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(_("The body has more than %(limit)s bytes.") % {"limit": limit_bytes})


def _some_are_wrong(number: int) -> str:
    return ngettext("%(number)s thing is wrong.", "%(number)s things are wrong.", number) % {"number": number}


# ── from exceptions to problems ─────────────────────────────────────────────


@dataclass(frozen=True)
class Problem:
    """A problem, before it is tied to a request."""

    kind: Kind
    detail: str
    status: int
    faults: tuple[Fault, ...] = ()

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": self.kind.type,
            "title": str(self.kind.title),
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            body["errors"] = [fault.as_json() for fault in self.faults]
        return body


def problem_of(error: Exception, base: str = "#") -> Problem | None:
    """The problem behind an exception, or None when it is a fault of ours.

    `base` is where in the body the pointers start: "#/rows/3" for a row of a batch.
    """
    if isinstance(error, DjangoValidationError):
        return _invalid(tuple(_of_django(error, base)))
    if isinstance(error, exceptions.ValidationError):
        return _invalid(tuple(_of_detail(error.detail, base)))
    if isinstance(error, BadParameters):
        return _problem("bad-parameter", error.detail, faults=tuple(error.faults))
    if isinstance(error, Unprocessable):
        return _problem("invalid-policy", error.detail, faults=tuple(error.faults))
    if isinstance(error, exceptions.ParseError):
        return _problem("bad-json", error.detail)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return _problem("not-authenticated", error.detail)
    if isinstance(error, exceptions.APIException) and error.status_code < 500:
        kind = _BY_STATUS.get(error.status_code, KINDS["bad-request"])
        return Problem(kind, str(error.detail), error.status_code)
    if isinstance(error, Http404):
        return _problem("not-found", _("It does not exist, or it is not yours to see."))
    if isinstance(error, DjangoPermissionDenied):
        return _problem("forbidden", str(error))
    if isinstance(error, BadRequest):
        return _problem("bad-request", str(error))
    if isinstance(error, IntegrityError | OperationalError) and _is_race(error):
        log.warning("two writers met: %s", error)
        return _problem("conflict", _("Somebody wrote the same at the same moment. Send it again."))
    return None


def _problem(slug: str, detail: object, *, faults: tuple[Fault, ...] = ()) -> Problem:
    return Problem(KINDS[slug], str(detail), KINDS[slug].status, faults)


def _invalid(faults: tuple[Fault, ...]) -> Problem:
    # What is right in itself and only comes too late.
    taken = faults and all(fault.code in {"taken", "closed"} for fault in faults)
    return _problem("conflict" if taken else "invalid", _some_are_wrong(len(faults)), faults=faults)


# unique_violation, serialization_failure, deadlock_detected
_RACES: Final = frozenset({"23505", "40001", "40P01"})


def _is_race(error: Exception) -> bool:
    return getattr(error.__cause__, "pgcode", None) in _RACES


def pointer(base: str, *path: object) -> str:
    """The JSON Pointer of a place below `base`, as a URI fragment."""
    return "/".join([base, *(str(step).replace("~", "~0").replace("/", "~1") for step in path)])


def _of_detail(detail: Any, place: str) -> Iterator[Fault]:
    """The faults in the nested dictionaries and lists of a REST framework ValidationError."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _of_detail(inner, place if name == "non_field_errors" else pointer(place, name))
    elif isinstance(detail, list | tuple):
        for number, inner in enumerate(detail):
            words = isinstance(inner, exceptions.ErrorDetail)
            yield from _of_detail(inner, place if words else pointer(place, number))
    else:
        yield Fault(place, getattr(detail, "code", "") or "invalid", str(detail))


def _of_django(error: DjangoValidationError, place: str) -> Iterator[Fault]:
    """The faults of a Django ValidationError; field names may be paths like "lines/3/quantity"."""
    by_field = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    for name, found in by_field.items():
        at = place if name == NON_FIELD_ERRORS else f"{place}/{name}"
        for each in found:
            yield Fault(at, each.code or "invalid", " ".join(each.messages))


# ── from problems to responses ──────────────────────────────────────────────


def request_id_of(request: HttpRequest) -> str:
    """The id of this request, as every answer and our log have it."""
    given: str = getattr(request, "request_id", "")
    return given or str(uuid.uuid4())


def tied_to(request: HttpRequest, problem: Problem) -> dict[str, Any]:
    """The problem's body as the answer to this request."""
    body = problem.as_json()
    errors = {"errors": body.pop("errors")} if "errors" in body else {}
    return body | {"instance": request.path, "request_id": request_id_of(request)} | errors


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's hook: the problem as a response, and nothing of the request written.

    What is our fault is raised on: Django logs it, and the middleware answers 500.
    """
    problem = problem_of(error)
    if problem is None:
        return None
    if active_tenant() is not None:
        transaction.set_rollback(True)
    request: HttpRequest = context["request"]._request
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return Response(tied_to(request, problem), status=problem.status, headers=headers, content_type=CONTENT_TYPE)


class ApiMiddleware:
    """Gives each request to the API its id, keeps answers out of caches, and makes a problem of every refusal that is none yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(API):
            return self.get_response(request)
        vars(request)["request_id"] = str(uuid.uuid4())
        response = self.get_response(request)
        if response.status_code >= 400 and response.headers.get("Content-Type") != CONTENT_TYPE:
            _make_problem(request, response)
        response.headers[REQUEST_ID] = request_id_of(request)
        response.headers.setdefault("Cache-Control", "no-store")  # names and numbers of customers
        return response


def _make_problem(request: HttpRequest, response: HttpResponseBase) -> None:
    """Put a problem in the place of the page; the headers that say how to treat it stay."""
    kind = _BY_STATUS.get(response.status_code, KINDS["server-error" if response.status_code >= 500 else "bad-request"])
    if response.status_code >= 500:
        log.error("%s %s failed, request_id %s", request.method, request.path, request_id_of(request))
    body = json.dumps(tied_to(request, Problem(kind, str(kind.advice), response.status_code)), ensure_ascii=False)
    if isinstance(response, HttpResponse):  # nothing of the API streams
        response.headers["Content-Type"] = CONTENT_TYPE
        response.content = body.encode()
        response.headers["Content-Length"] = str(len(response.content))


def docs_page(request: HttpRequest) -> HttpResponse:
    """The page that a problem's `type` leads to: every kind, and what to do about it."""
    kinds: Iterable[Kind] = KINDS.values()
    return render(request, "api/problems.html", {"kinds": kinds})
