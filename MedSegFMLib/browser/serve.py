"""The server from its start to its end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from aiohttp import web

from ..batch.review.queue import ReviewQueue
from ..batch.review.volumes import CaseVolumes
from ..datasets.challenge_npz import DEFAULT_SPACING_ORDER
from ..errors import PageError
from ..volumes.volume import Volume
from ..weights import store
from ..worker.client import WorkerClient
from ..worker.launchers import LocalLauncher
from .access import Access, is_loopback, names_of
from .desk import Desk
from .dicom_files import Images, read_with_images
from .hub import Hub
from .page_files import render
from .uploads import Uploads
from .web import make_web_app, name_of

# A page that is loaded again, or whose network fails for a while, is not gone.
_CLOSED_SECONDS = 60.0
# The browser may be opened by hand, on another computer.
_FIRST_SECONDS = 15 * 60.0
_LOOK_SECONDS = 0.5
_BACKLOG = 64
# Pages, uploads and downloads that do not end by themselves are ended after this.
_ENDING_SECONDS = 3.0
_OPENING = "open.html"


@dataclass(frozen=True)
class Options:
    """How the server is started.

    Attributes:
        volumes: Paths of volumes to open.
        host: The address to listen on.
        port: The port; 0 for any that is free.
        opens: Whether a browser is opened.
        keeps: Whether the server stays when its page is closed.
        public_address: The address under which a proxy serves it; "" if there is none.
        closed_seconds: How long the page may be closed before the server ends.
        review: The folder of a batch and that (or the list) of its volumes; None for no review.
        spacing_order: The order of the spacing in npz files, "xyz" or "zyx".
    """

    volumes: Sequence[Path] = ()
    host: str = "127.0.0.1"
    port: int = 0
    opens: bool = True
    keeps: bool = False
    public_address: str = ""
    closed_seconds: float = _CLOSED_SECONDS
    review: tuple[Path, Path] | None = None
    spacing_order: str = DEFAULT_SPACING_ORDER


def serve(options: Options, model: str, device: str, model_options: Mapping[str, str]) -> None:
    """Serve one session until Ctrl-C, or until its page has been closed for a while.

    Args:
        options: How it is started.
        model: The model to begin with.
        device: Where it runs.
        model_options: Its options.

    Raises:
        PageError: If the address cannot be used.
        VolumeError: If a volume cannot be read.
        CasesError: If what is to be reviewed is no batch, or its volumes are not there.
    """
    if options.review is not None:
        # Before the scene is made: what is no batch ends the command at once.
        results, source = options.review
        ReviewQueue(results)
        CaseVolumes(source, results)
    with closing(_bind(options)) as bound:
        order = options.spacing_order
        volumes = [
            (*read_with_images(path, order), name_of(path.resolve())) for path in options.volumes
        ]
        asyncio.run(_run(options, bound, volumes, model, device, model_options))


async def _run(
    options: Options,
    bound: socket.socket,
    volumes: list[tuple[Volume, Images, str]],
    model: str,
    device: str,
    model_options: Mapping[str, str],
) -> None:
    desk = Desk(lambda _host: WorkerClient(LocalLauncher()), store.folder().parent / "autosave")
    hub, uploads = Hub(desk), Uploads()
    try:
        desk.logic.set_model(model, device, **model_options)
        if options.review is not None:
            desk.review.open(*options.review)
        for volume, images, name in volumes:
            desk.volume.add(volume, name, images)
        runner, access = await _listen(options, bound, hub, uploads)
        try:
            _announce(options, access)
            if options.opens:
                _open(access.link, uploads.folder / _OPENING)
            await _until_end(options, hub)
        finally:
            await runner.cleanup()
    finally:
        desk.close()
        uploads.close()


def _bind(options: Options) -> socket.socket:
    """The socket to listen on.

    Raises:
        PageError: If the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((options.host, options.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise PageError(
            f"The server cannot use port {options.port} of {options.host} "
            f"({error.strerror or error}); choose another --port, or leave it out."
        ) from error
    return bound


async def _listen(
    options: Options, bound: socket.socket, hub: Hub, uploads: Uploads
) -> tuple[web.AppRunner, Access]:
    """Answer requests; the rules of access are known once the port is."""
    port = bound.getsockname()[1]
    page = "" if options.review is None else "review"
    access = Access(port, options.host, options.public_address, names_of(options.host), page)
    pages = {"/": render("workstation")}
    if options.review is not None:
        pages["/review"] = render("review")
    runner = web.AppRunner(
        make_web_app(access, hub, uploads, pages, spacing_order=options.spacing_order),
        handle_signals=False,
        access_log=None,
        shutdown_timeout=_ENDING_SECONDS,
    )
    await runner.setup()
    await web.SockSite(runner, bound).start()
    return runner, access


def _announce(options: Options, access: Access) -> None:
    """Print the address."""
    if not is_loopback(options.host):
        print(
            f"Warning: {options.host} is reached by other computers. All who have the address "
            "below see the patient's images and can change the work; without HTTPS, so can all who "
            "read the network. Docs/browser.md describes a proxy with HTTPS.",
            file=sys.stderr,
        )
    print(f"Open {access.link}", flush=True)
    print(
        "From another computer: "
        f"ssh -L {access.port}:127.0.0.1:{access.port} USER@THIS-COMPUTER, then open that address "
        "there.",
        flush=True,
    )
    print("End with Ctrl-C" + ("." if options.keeps else ", or close the page."), flush=True)


def _open(link: str, page: Path) -> None:
    """Open a browser on a private file that leads to the address.

    The command line of a browser is seen by all users of a computer, and the address has the token.
    """
    page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={link}">')
    with suppress(webbrowser.Error):
        webbrowser.open(page.as_uri())


async def _until_end(options: Options, hub: Hub) -> None:
    """Follow the work until Ctrl-C or until the page was closed long enough."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in _ending_signals():
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, end.set)
    following = asyncio.create_task(hub.run())
    started = monotonic()
    try:
        while not end.is_set() and not following.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), _LOOK_SECONDS)
            if not options.keeps and _is_closed(options, hub, started):
                print("The page was closed; the server has ended.", flush=True)
                break
        if following.done():
            following.result()
    finally:
        following.cancel()


def _ending_signals() -> list[int]:
    """Ctrl-C, a request to end, and the end of the terminal, which would leave uploads behind."""
    found: list[int] = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    # Under nohup, the server outlives its terminal.
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        found.append(hangup)
    return found


def _is_closed(options: Options, hub: Hub, started: float) -> bool:
    if hub.last_seen is None:
        return monotonic() - started > max(_FIRST_SECONDS, options.closed_seconds)
    return monotonic() - hub.last_seen > options.closed_seconds
