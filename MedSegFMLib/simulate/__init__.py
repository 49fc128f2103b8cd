"""Prompts as a user would place them."""

from MedSegFMLib.simulate.boxes import box_around, challenge_box
from MedSegFMLib.simulate.clicks import next_click

__all__ = ["box_around", "challenge_box", "next_click"]
