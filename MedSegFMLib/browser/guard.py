"""The gate of the server: every request passes `Access`, and every answer has the same headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web

from .access import Access

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STATIC = "/static/"
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


def guard(access: Access, pages: Collection[str]) -> Any:
    """The middleware that refuses requests.

    Pages and what they are made of are the same for everybody, and have nothing of the work; all
    else needs the token.

    Args:
        access: The rules.
        pages: The paths of the pages.
    """

    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(access, pages, request, handler)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    return web.middleware(check)


async def _answer(
    access: Access, pages: Collection[str], request: web.Request, handler: Handler
) -> web.StreamResponse:
    changes = request.method not in ("GET", "HEAD") or request.path == "/socket"
    fault = access.fault(request.headers, changes)
    if fault:
        return web.Response(text=fault, status=403)
    is_public = request.path in pages or request.path.startswith(STATIC)
    if not is_public and not access.has_token(request.headers):
        text = "The request has no valid token; open the address that medsegfm browser printed."
        return web.Response(text=text, status=403)
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(text=error.text, status=error.status)
