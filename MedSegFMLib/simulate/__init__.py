"""Simulated prompts of a user."""

from .boxes import box_around, challenge_box
from .clicks import next_click
from .perturbations import perturbed

__all__ = ["box_around", "challenge_box", "next_click", "perturbed"]
