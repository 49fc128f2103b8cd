"""Prompts: their types, lists and edits, and their conversion to voxels and JSON."""

from .mask import Mask
from .types import Box, Lasso, Line, Point, Prompt, Scribble, Text, is_positive, prompt_name

__all__ = [
    "Box",
    "Lasso",
    "Line",
    "Mask",
    "Point",
    "Prompt",
    "Scribble",
    "Text",
    "is_positive",
    "prompt_name",
]
