"""A segmentation session: one volume, one model and its prompts."""

from .session import Session

__all__ = ["Session"]
