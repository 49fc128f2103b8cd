"""Where the three planes of a model disagree, and what to click next."""

from .hot_spots import HotSpot
from .measure import Consistency, measure
from .views import PlaneViews

__all__ = ["Consistency", "HotSpot", "PlaneViews", "measure"]
