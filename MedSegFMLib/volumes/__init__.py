"""Volumes: voxels on a grid in patient space, and operations on them."""

from .geometry import Geometry
from .region import Region
from .volume import Volume

__all__ = ["Geometry", "Region", "Volume"]
