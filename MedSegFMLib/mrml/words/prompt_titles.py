"""Titles of prompts in lists, and where they are."""

from __future__ import annotations

from ...prompts.mask import Mask
from ...prompts.types import Line, Prompt, is_positive, prompt_name
from .translation import tr as _

_TITLES = {
    ("box", True): _("Box"),
    ("point", True): _("+ Click"),
    ("point", False): _("− Click"),
    ("scribble", True): _("+ Scribble"),
    ("scribble", False): _("− Scribble"),
    ("lasso", True): _("+ Lasso"),
    ("lasso", False): _("− Lasso"),
    ("line", True): _("Line"),
    ("text", True): _("Text"),
}
_MASKS = {"start": _("Start"), "avoid": _("Not here"), "keep": _("Frozen")}


def title(prompt: Prompt) -> str:
    """The kind of a prompt, with the sign of those that have one."""
    if isinstance(prompt, Mask):
        return _MASKS[prompt.role]
    return _TITLES[(prompt_name(prompt), is_positive(prompt))]


def place(prompt: Prompt) -> str:
    """Where a prompt is, or how large it is; of a text, the text."""
    if isinstance(prompt, Mask):
        return _("{n} voxels").format(n=prompt.count)
    if hasattr(prompt, "phrase"):
        return str(prompt.phrase)
    if hasattr(prompt, "position_ras"):
        return ", ".join(f"{v:.0f}" for v in prompt.position_ras)
    if hasattr(prompt, "center_ras"):
        text = ", ".join(f"{v:.0f}" for v in prompt.center_ras)
        if isinstance(prompt, Line):
            text += _("; {length:.1f} mm long").format(length=prompt.length_mm)
        return text
    return _("{n} points").format(n=len(prompt.positions_ras))
