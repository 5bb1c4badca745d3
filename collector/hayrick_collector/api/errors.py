"""One shape for every error the API answers with: {"error": {"code", "message", "hint"?}}, with the place in
an expression where that is what is wrong."""

from __future__ import annotations

import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from hayrick_common import room
from hayrick_common.errors import CaptureError, ExpressionError, HayrickError, StoreError, UsageError

_CODES = {
    401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 409: "conflict",
    410: "gone", 413: "too_large", 421: "misdirected", 429: "too_many",
}  # fmt: skip
_STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (ExpressionError, 400, "expression"),
    (UsageError, 400, "bad_request"),
    (CaptureError, 422, "not_a_capture"),
    (StoreError, 503, "store_unavailable"),
    (HayrickError, 500, "internal"),
)


class ApiError(HTTPException):
    """An answer with a code of our own and a hint. `retry`: seconds after which to try again."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str | None = None, retry: float | None = None
    ) -> None:
        super().__init__(status, message)
        self.code = code
        self.hint = hint
        self.retry = retry


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    hint: str | None = None,
    retry: float | None = None,
    place: dict[str, Any] | None = None,
) -> JSONResponse:
    """The one shape."""
    error: dict[str, Any] = {"code": code, "message": message, **(place or {})}
    if hint is not None:
        error["hint"] = hint
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if retry is not None:
        headers["Retry-After"] = str(math.ceil(retry))
    return JSONResponse({"error": error}, status, headers)


def _place(error: HayrickError) -> dict[str, Any]:
    """Where and what is wrong in an expression."""
    if not isinstance(error, ExpressionError):
        return {}
    return {"column": error.column, "found": error.found, "expected": error.expected, "did_you_mean": error.similar}


def install(app: FastAPI) -> None:
    """Answer every exception of ours, of FastAPI and of Starlette in the one shape."""

    @app.exception_handler(HayrickError)
    async def ours(request: Request, error: HayrickError) -> JSONResponse:
        status, code = next((status, code) for kind, status, code in _STATUSES if isinstance(error, kind))
        return error_response(status, code, str(error), place=_place(error))

    @app.exception_handler(TimeoutError)
    async def late(request: Request, error: TimeoutError) -> JSONResponse:
        return error_response(504, "timeout", str(error) or "this took too long")

    @app.exception_handler(OSError)
    async def system(request: Request, error: OSError) -> JSONResponse:
        if isinstance(error, PermissionError) and error.errno is None:  # raised by us
            return error_response(403, "forbidden", str(error))
        full = room.lacking(error)
        status, code = (507, "disk_full") if full else (500, "internal")
        return error_response(status, code, error.strerror or str(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = error.code if isinstance(error, ApiError) else _CODES.get(error.status_code, "error")
        hint, retry = getattr(error, "hint", None), getattr(error, "retry", None)
        return error_response(error.status_code, code, str(error.detail), hint=hint, retry=retry)

    @app.exception_handler(LookupError)
    async def missing(request: Request, error: LookupError) -> JSONResponse:
        if type(error) is not LookupError:  # a KeyError is a mistake of ours
            raise error
        return error_response(404, "not_found", str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "request"
        return error_response(400, "bad_request", f"{where}: {first['msg']}")
