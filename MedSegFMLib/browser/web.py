"""The routes of the server; every request passes `Access` first."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ..errors import MedSegFMError, PageError
from ..mrml.results.saving import Saved
from ..results.formats import ResultFormat
from ..volumes.volume import Volume
from . import page_files
from .access import TOKEN_PARAMETER, Access

if TYPE_CHECKING:
    from .hub import Hub
    from .uploads import Uploads

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# The longest message of a page is a lasso of some thousand points.
LARGEST_MESSAGE_BYTES = 256 * 1024
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
_POLL_SECONDS = 0.05
_HEARTBEAT_SECONDS = 20


def make_web_app(
    access: Access, hub: Hub, uploads: Uploads, pages: dict[str, str], *more: web.RouteDef
) -> web.Application:
    """The aiohttp application.

    Args:
        access: Who may use it.
        hub: The pages of the session.
        uploads: Where files of pages go.
        pages: The HTML of each page by its path, such as "/".
        more: Further routes.
    """
    app = web.Application(middlewares=[_guard(access)], client_max_size=LARGEST_MESSAGE_BYTES)
    routes = Routes(hub, uploads)
    for path, html in pages.items():
        app.router.add_get(path, _page(html))
    app.add_routes(
        [
            web.get("/static/{name}", page_files.serve),
            web.get("/socket", routes.socket),
            web.post("/volumes", routes.volumes),
            web.get("/results/{format}", routes.results),
            web.get("/comparison.csv", routes.comparison),
            *more,
        ]
    )
    return app


class Routes:
    """The requests of pages besides those for the files they are made of.

    Args:
        hub: The pages of the session.
        uploads: Where files of pages go.
    """

    def __init__(self, hub: Hub, uploads: Uploads) -> None:
        self._hub, self._uploads = hub, uploads

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """The connection of a page."""
        if not self._hub.has_room:
            raise web.HTTPServiceUnavailable(text="Too many pages show this session; close one.")
        socket = web.WebSocketResponse(
            max_msg_size=LARGEST_MESSAGE_BYTES, heartbeat=20, compress=False
        )
        await socket.prepare(request)
        await self._hub.serve(socket)
        return socket

    async def volumes(self, request: web.Request) -> web.StreamResponse:
        """A volume that a page sends."""
        desk = self._hub.desk
        try:
            if not request.content_type.startswith("multipart/"):
                raise PageError("The files must be sent as multipart/form-data; use the page.")
            try:
                path = await self._uploads.receive(await request.multipart())
            except (ValueError, AssertionError) as error:
                if isinstance(error, MedSegFMError):
                    raise
                raise PageError("The upload was cut off or damaged; send it again.") from error
            try:
                desk.volume.opening(path.name)
                volume = await asyncio.to_thread(Volume.read, path)
                desk.volume.add(volume, name_of(path))
            finally:
                desk.volume.opening("")
                self._uploads.remove(path)
        except MedSegFMError as error:
            sentence = " ".join(str(error).split())
            desk.status.warn(sentence)
            return web.json_response({"error": sentence}, status=400)
        return web.json_response({"error": ""})

    async def results(self, request: web.Request) -> web.StreamResponse:
        """The segments as a file."""
        segments = self._hub.desk.segments
        wanted = request.match_info["format"]
        item = next((f for f in segments.saving.offered() if f.key == wanted), None)
        try:
            if item is None:
                raise PageError(f"This volume cannot be saved as {wanted[:20]!a}; choose another.")
            return await self._file(item)
        except MedSegFMError as error:
            sentence = " ".join(str(error).split())
            self._hub.desk.status.warn(sentence)
            return web.json_response({"error": sentence}, status=400)

    async def comparison(self, _request: web.Request) -> web.StreamResponse:
        """The table of the models that were compared."""
        try:
            text = self._hub.desk.comparison.table_text()
        except MedSegFMError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(body=text.encode(), headers=_as_download("models.csv"))

    async def _file(self, item: ResultFormat) -> web.StreamResponse:
        """Written to a private folder first, which is removed at once."""
        desk = self._hub.desk
        with tempfile.TemporaryDirectory(prefix="medsegfm-result-") as folder:
            node = desk.logic.volume_node
            name = f"{_plain('volume' if node is None else node.GetName())}-segments"
            end = desk.segments.saving.start(item, str(Path(folder) / name))
            while end is None:
                await asyncio.sleep(_POLL_SECONDS)
                end = desk.segments.saving.poll()
            return web.Response(body=_bytes(end), headers=_as_download(end.path.name))


def name_of(path: Path) -> str:
    """The name of a volume: its file's without the ending."""
    name = path.name
    for ending in (".nii.gz", ".seg.nrrd", path.suffix):
        if ending and name.lower().endswith(ending.lower()):
            return name[: -len(ending)] or name
    return name


def _bytes(end: Saved) -> bytes:
    if end.error or end.stopped:
        raise PageError(end.error or "Saving was stopped; no file was written.")
    return end.path.read_bytes()


def _as_download(name: str) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{name}"',
    }


def _plain(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:60]


def _page(html: str) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=html, content_type="text/html")

    return answer


def _guard(access: Access) -> Any:
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(access, request, handler)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    return web.middleware(guard)


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
