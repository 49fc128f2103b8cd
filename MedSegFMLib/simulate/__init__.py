"""Simulated prompts of a user."""

from .boxes import box_around, challenge_box
from .clicks import next_click
from .lines import longest_diameter
from .perturbations import perturbed

__all__ = ["box_around", "challenge_box", "longest_diameter", "next_click", "perturbed"]
