"""The routes of the server; every request passes `Access` first."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from ..datasets.challenge_npz import DEFAULT_SPACING_ORDER
from ..errors import MaskError, MedSegFMError, PageError
from ..mrml.results.saving import Saved
from ..mrml.words.translation import tr as _
from ..prompts.json_format import prompts_to_json
from ..results.formats import ResultFormat
from ..volumes.geometry import Geometry
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume
from . import page_files
from .access import PROTOCOL, Access
from .dicom_files import Images, read_with_images
from .guard import STATIC, Handler, guard
from .segment_files import Named, add_segments, segments_on

if TYPE_CHECKING:
    from .hub import Hub
    from .uploads import Uploads

Read = TypeVar("Read")
# The longest message of a page is a lasso of some thousand points.
LARGEST_MESSAGE_BYTES = 256 * 1024
_POLL_SECONDS = 0.05
_HEARTBEAT_SECONDS = 20


def make_web_app(
    access: Access,
    hub: Hub,
    uploads: Uploads,
    pages: dict[str, str],
    *more: web.RouteDef,
    spacing_order: str = DEFAULT_SPACING_ORDER,
) -> web.Application:
    """The aiohttp application.

    Args:
        access: Who may use it.
        hub: The pages of the session.
        uploads: Where files of pages go.
        pages: The HTML of each page by its path, such as "/".
        more: Further routes.
        spacing_order: The order of the spacing in npz files, "xyz" or "zyx".
    """
    app = web.Application(middlewares=[guard(access, pages)], client_max_size=LARGEST_MESSAGE_BYTES)
    app.on_shutdown.append(lambda _app: hub.close())
    routes = Routes(hub, uploads, spacing_order)
    for path, html in pages.items():
        app.router.add_get(path, _page(html))
    app.add_routes(
        [
            web.get(f"{STATIC}{{name}}", page_files.serve),
            web.get("/session", routes.session),
            web.get("/socket", routes.socket),
            web.post("/volumes", routes.volumes),
            web.post("/segments", routes.segments),
            web.get("/prompts.json", routes.prompts),
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
        spacing_order: The order of the spacing in npz files, "xyz" or "zyx".
    """

    def __init__(self, hub: Hub, uploads: Uploads, spacing_order: str) -> None:
        self._hub, self._uploads = hub, uploads
        self._read = partial(read_with_images, spacing_order=spacing_order)

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """The connection of a page."""
        if not self._hub.has_room:
            raise web.HTTPServiceUnavailable(text="Too many pages show this session; close one.")
        socket = web.WebSocketResponse(
            max_msg_size=LARGEST_MESSAGE_BYTES,
            heartbeat=_HEARTBEAT_SECONDS,
            compress=False,
            protocols=(PROTOCOL,),
        )
        await socket.prepare(request)
        await self._hub.serve(socket)
        return socket

    async def session(self, _request: web.Request) -> web.StreamResponse:
        """Nothing: a page asks whether its token is that of this server."""
        return web.Response(status=204)

    async def volumes(self, request: web.Request) -> web.StreamResponse:
        """A volume that a page sends."""
        volume = self._hub.desk.volume

        async def add(found: tuple[Volume, Images], path: Path) -> bool:
            volume.add(found[0], name_of(path), found[1])
            # Results refer to DICOM images, which therefore stay until the end.
            return bool(found[1])

        return await self._upload(request, self._read, add)

    async def segments(self, request: web.Request) -> web.StreamResponse:
        """Segments that a page sends, for the chosen volume."""
        logic, status = self._hub.desk.logic, self._hub.desk.status

        node = logic.volume_node

        def read(path: Path) -> tuple[Geometry, list[Named]]:
            geometry = logic.require_volume().geometry
            return geometry, segments_on(Segmentation.read(path, geometry), geometry)

        async def add(found: tuple[Geometry, list[Named]], path: Path) -> bool:
            geometry, segments = found
            is_same = logic.volume_node is node
            if not is_same or not logic.require_volume().geometry.matches(geometry):
                raise MaskError("Another volume was chosen meanwhile; load the segments again.")
            await add_segments(logic, segments)
            status.inform(
                _("{count} segments were loaded from {name}.").format(
                    count=len(segments), name=path.name
                )
            )
            return False

        return await self._upload(request, read, add)

    async def _upload(
        self,
        request: web.Request,
        read: Callable[[Path], Read],
        add: Callable[[Read, Path], Awaitable[bool]],
    ) -> web.StreamResponse:
        """Receive files and read them beside the main thread; they stay if `add` returns True."""
        desk = self._hub.desk
        try:
            if not request.content_type.startswith("multipart/"):
                raise PageError("The files must be sent as multipart/form-data; use the page.")
            path = await self._uploads.receive(await _multipart(request))
            is_kept = False
            try:
                desk.volume.opening(path.name)
                is_kept = await add(await asyncio.to_thread(read, path), path)
            finally:
                desk.volume.opening("")
                if not is_kept:
                    self._uploads.remove(path)
        except MedSegFMError as error:
            sentence = " ".join(self._uploads.without_folder(str(error)).split())
            desk.status.warn(sentence)
            return web.json_response({"error": sentence}, status=400)
        return web.json_response({"error": ""})

    async def prompts(self, _request: web.Request) -> web.StreamResponse:
        """The prompts as a file, which medsegfm segment --prompts reads."""
        body = prompts_to_json(self._hub.desk.logic.prompts).encode()
        return web.Response(body=body, headers=_as_download("prompts.json"))

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


async def _multipart(request: web.Request) -> Any:
    try:
        return await request.multipart()
    except (ValueError, AssertionError) as error:
        raise PageError("The upload is damaged; send it again.") from error


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
