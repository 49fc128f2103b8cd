"""`medsegfm browser`: the workstation as a page in a browser."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import PageError
from ..registry import DEFAULT_MODEL, check_options, resolve_name
from ..system.installing import extra_command
from .arguments.reading import VOLUME_HELP, add_spacing_order_argument
from .segmenting.model_arguments import add_option_argument, read_options

SUMMARY = "segment in a page of your browser, with the views of 3D Slicer"
EXAMPLES = """\
examples:
  medsegfm browser ct.nii.gz
  medsegfm browser
  medsegfm browser --review RESULTS VOLUMES
on a remote computer, as printed there:
  ssh -L PORT:127.0.0.1:PORT HOST"""
_PACKAGES = ("slicer", "trame_slicer", "aiohttp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("volumes", nargs="*", metavar="VOLUME", help=VOLUME_HELP)
    parser.add_argument(
        "--review",
        nargs=2,
        metavar=("RESULTS", "VOLUMES"),
        help="review a folder that medsegfm segment wrote, with the folder or LIST.csv of its "
        "volumes: the worst case first",
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model to begin with")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add_option_argument(parser)
    add_spacing_order_argument(parser)
    parser.add_argument(
        "--no-open", action="store_true", help="print the address only; open no browser"
    )
    parser.add_argument(
        "--keep", action="store_true", help="go on after the page was closed, until Ctrl-C"
    )
    parser.add_argument(
        "--closed-seconds",
        type=float,
        default=60.0,
        metavar="S",
        help="end when no page has been open for this number of seconds",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="number of the port to listen on (default: a free one)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; others than the default are reached by other computers",
    )
    parser.add_argument(
        "--address",
        default="",
        metavar="URL",
        help="address under which a reverse proxy serves the page, such as https://seg.example.org",
    )


def run(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C, or until the page is closed.

    Raises:
        PageError: A package is missing, or an argument is not valid.
        ModelError: There is no such model or option.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise PageError(
            f"The page needs packages that are not installed ({', '.join(missing)}); install them "
            f"with {extra_command('browser')}."
        )
    if not 0 <= arguments.port <= 65535:
        raise PageError(f"--port is {arguments.port}; give one from 1 to 65535, or leave it out.")
    if not arguments.closed_seconds > 0:
        raise PageError(
            f"--closed-seconds is {arguments.closed_seconds}; give more than 0, or --keep."
        )
    if arguments.address and not _is_address(arguments.address):
        raise PageError(
            f"--address is {arguments.address!a}; give one such as https://seg.example.org."
        )
    given = read_options(arguments.option)
    model = resolve_name(arguments.model)
    check_options(model, given)
    from ..browser.serve import Options, serve

    options = Options(
        [Path(name) for name in arguments.volumes],
        arguments.host,
        arguments.port,
        not arguments.no_open,
        arguments.keep,
        arguments.address,
        arguments.closed_seconds,
        review=_pair(arguments.review),
        spacing_order=arguments.spacing_order,
    )
    serve(options, model, arguments.device, given)


def _pair(paths: Sequence[str] | None) -> tuple[Path, Path] | None:
    return None if paths is None else (Path(paths[0]), Path(paths[1]))


def _is_address(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.query
