"""The places that words may mean: a question to the user, which a click answers."""

from __future__ import annotations

from dataclasses import dataclass

from .positions import Position


@dataclass(frozen=True)
class Place:
    """A place where an object may be.

    Attributes:
        number: from 1, the likeliest first; it stays while other places are ruled out.
        position_ras: the place's deepest position in millimetres, for the click.
        millilitres: its volume.
        score: the mean probability in it, over all looks, 0 to 1.
    """

    number: int
    position_ras: Position
    millilitres: float
    score: float


@dataclass(frozen=True)
class PlaceQuestion:
    """Where is it? A click at a place decides; one for the background rules a place out.

    Attributes:
        places: the places that are left, at least one.
        agreement: the mean Dice of the looks at the object, 0 to 1.
        bound: the agreement from which an answer is given without a question.
    """

    places: tuple[Place, ...]
    agreement: float
    bound: float
