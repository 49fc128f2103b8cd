"""The files that pages are made of; nothing else of the disk is served."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from .. import __version__

_FOLDER = Path(__file__).parent / "page"
_TEXTS = Path(__file__).parent / "panel_texts.json"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


async def serve(request: web.Request) -> web.StreamResponse:
    """A script, a style sheet or a drawing."""
    path = _served().get(request.match_info["name"])
    if path is None:
        raise web.HTTPNotFound(text="There is no such file.")
    return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8")


def render(name: str, **values: Any) -> str:
    """The HTML of a page, with the texts of the module's panel.

    Args:
        name: The template's name without its ending.
        values: Further values of the template.
    """
    import jinja2

    loader = jinja2.FileSystemLoader(_FOLDER)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined
    )
    template = environment.get_template(f"{name}.html.jinja")
    return template.render(texts=panel_texts(), version=__version__, **values)


@cache
def panel_texts() -> dict[str, dict[str, str]]:
    """Text and tool tip of each widget of the module's panel: see `tools/panel_texts`."""
    found: dict[str, dict[str, str]] = json.loads(_TEXTS.read_text(encoding="utf-8"))
    return found


@cache
def _served() -> dict[str, Path]:
    return {path.name: path for path in _FOLDER.iterdir() if path.suffix in _TYPES}
