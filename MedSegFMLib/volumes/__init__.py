"""Volumes: voxels on a grid in patient space, and what can be done with them."""

from .geometry import Geometry
from .region import Region
from .volume import Volume

__all__ = ["Geometry", "Region", "Volume"]
