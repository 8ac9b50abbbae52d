"""What went wrong, as RFC 9457 has it: a problem document with our code, what to do, and the record's id."""

from __future__ import annotations

from typing import Final

import msgspec

from plimsoll.errors import Conflict, PlimsollError, Problem

MEDIA: Final = b"application/problem+json"
_TITLES: Final = {
    400: "The request cannot be read",
    401: "Who asks is not known",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This cannot be done here",
    408: "The request came too slowly",
    409: "This was asked before, in another way",
    411: "The length of the request is not said",
    413: "The request is too large",
    415: "This kind of content is not taken",
    422: "The record cannot be processed",
    429: "Too much is asked at once",
    431: "The headers are too large",
    500: "An error of ours",
    502: "The target did not answer as agreed",
    503: "There is no room now",
    504: "The target did not answer in time",
}


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem document. ``type`` is left out: it is ``about:blank``, and ``code`` says which problem."""

    title: str
    status: int
    detail: str
    code: str  # stable; `docs/reference/errors.md` lists them
    fix: str = ""
    record: str = ""  # id of the decision's entry, where one was recorded
    disposition: str = ""
    next: str = ""
    reasons: tuple[dict[str, str], ...] = ()  # each reason why a record is quarantined


class HttpProblem(Exception):
    """Ends a request with a problem document.

    Args:
        status: of the response.
        code: stable name of the problem.
        detail: what happened; it names no secret and repeats nothing that was sent.
        fix: what to do.
        headers: more headers of the response.
        close: whether the connection ends with the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        fix: str = "",
        record: str = "",
        disposition: str = "",
        next: str = "",  # noqa: A002 - the word of the answer
        reasons: tuple[dict[str, str], ...] = (),
        headers: tuple[tuple[bytes, bytes], ...] = (),
        close: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.close = close
        self.document = ProblemDocument(
            title=_TITLES.get(status, "It did not work"),
            status=status,
            detail=detail,
            code=code,
            fix=fix,
            record=record,
            disposition=disposition,
            next=next,
            reasons=reasons,
        )
        super().__init__(detail)

    @property
    def body(self) -> bytes:
        """The document."""
        return msgspec.json.encode(self.document)


def problem_of(error: PlimsollError) -> HttpProblem:
    """One of our errors, as a client may see it."""
    first = error.problems[0] if error.problems else Problem(code=error.code, message=str(error))
    status = 409 if isinstance(error, Conflict) else {2: 400, 3: 403, 5: 410, 6: 503}.get(error.exit_code, 500)
    headers = ((b"retry-after", b"1"),) if status == 503 else ()
    detail = first.message if status != 500 else "an error of ours; the server's log has it"
    return HttpProblem(status, first.code, detail, fix=first.fix, headers=headers)
