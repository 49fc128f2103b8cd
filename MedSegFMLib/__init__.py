"""MedSegFM: interactive 3D medical image segmentation with foundation models.

Importing it needs numpy alone; SimpleITK, scipy, torch and the rest load where they are used.
"""

from .errors import MedSegFMError
from .prompts.types import Box, Lasso, Point, Prompt, Scribble, Text
from .registry import cards, create
from .segmenter import ModelCard, Prediction, Segmenter
from .session.session import Session
from .volumes.geometry import Geometry
from .volumes.region import Region
from .volumes.volume import Volume

__version__ = "0.2.0"

__all__ = [
    "Box",
    "Geometry",
    "Lasso",
    "MedSegFMError",
    "ModelCard",
    "Point",
    "Prediction",
    "Prompt",
    "Region",
    "Scribble",
    "Segmenter",
    "Session",
    "Text",
    "Volume",
    "cards",
    "create",
]
