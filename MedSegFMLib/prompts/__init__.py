"""Prompts: their types, lists of them, and what they become as voxels and as JSON."""

from .types import Box, Lasso, Point, Prompt, Scribble, Text, is_positive, prompt_name

__all__ = [
    "Box",
    "Lasso",
    "Point",
    "Prompt",
    "Scribble",
    "Text",
    "is_positive",
    "prompt_name",
]
