"""Consistency of a model's three planes, and the next click that it suggests."""

from .hot_spots import HotSpot
from .measure import Consistency, measure
from .views import PlaneViews

__all__ = ["Consistency", "HotSpot", "PlaneViews", "measure"]
