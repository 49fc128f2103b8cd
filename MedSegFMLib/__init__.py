"""MedSegFM: interactive 3D medical image segmentation with foundation models.

Importing the package needs numpy only; SimpleITK, scipy, torch and other packages are imported on
first use.
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
