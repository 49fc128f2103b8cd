"""MedSegFM: interactive 3D medical image segmentation with foundation models.

Importing the package needs no other package; numpy, SimpleITK, scipy, torch and others are imported
on first use, so that the command line can handle Ctrl-C before.
"""

from importlib import import_module

# As in the module typing, which is slow to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors import MedSegFMError
    from .prompts.mask import Mask
    from .prompts.types import Box, Lasso, Line, Point, Prompt, Scribble, Text
    from .registry import cards, create
    from .segmenter import ModelCard, Prediction, Segmenter
    from .session.propagation import propagate
    from .session.session import Session
    from .volumes.frames import Frames
    from .volumes.geometry import Geometry
    from .volumes.region import Region
    from .volumes.segmentations.segmentation import Segmentation
    from .volumes.volume import Volume

__version__ = "0.2.0"

__all__ = [
    "Box",
    "Frames",
    "Geometry",
    "Lasso",
    "Line",
    "Mask",
    "MedSegFMError",
    "ModelCard",
    "Point",
    "Prediction",
    "Prompt",
    "Region",
    "Scribble",
    "Segmentation",
    "Segmenter",
    "Session",
    "Text",
    "Volume",
    "cards",
    "create",
    "propagate",
]

_MODULES = {
    "errors": ("MedSegFMError",),
    "prompts.mask": ("Mask",),
    "prompts.types": ("Box", "Lasso", "Line", "Point", "Prompt", "Scribble", "Text"),
    "registry": ("cards", "create"),
    "segmenter": ("ModelCard", "Prediction", "Segmenter"),
    "session.propagation": ("propagate",),
    "session.session": ("Session",),
    "volumes.frames": ("Frames",),
    "volumes.geometry": ("Geometry",),
    "volumes.region": ("Region",),
    "volumes.segmentations.segmentation": ("Segmentation",),
    "volumes.volume": ("Volume",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            value: object = getattr(import_module(f".{module}", __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
