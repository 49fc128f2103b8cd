"""The gate of the server: every request passes `Access`, and every answer has the same headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .access import TOKEN_PARAMETER, Access

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def guard(access: Access) -> Any:
    """The middleware that refuses requests.

    Args:
        access: The rules.
    """

    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(access, request, handler)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    return web.middleware(check)


async def _answer(access: Access, request: web.Request, handler: Handler) -> web.StreamResponse:
    changes = request.method not in ("GET", "HEAD") or request.path == "/socket"
    fault = access.fault(request.headers, changes)
    if fault:
        return web.Response(text=fault, status=403)
    given = request.query.get(TOKEN_PARAMETER)
    is_first = given is not None and access.has_token(given)
    if not is_first and not access.has_token(request.cookies.get(access.cookie)):
        text = "The address has no valid token; open the one that medsegfm browser printed."
        return web.Response(text=text, status=403)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        return web.Response(text=error.text, status=error.status)
    if is_first and not response.prepared:
        response.set_cookie(
            access.cookie,
            access.token,
            httponly=True,
            samesite="Strict",
            secure=access.is_secure,
        )
    return response
