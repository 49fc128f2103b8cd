"""Ask, don't guess: where looks at named objects disagree, the places are asked about."""

from .segmenter import asking, asking_card

__all__ = ["asking", "asking_card"]
