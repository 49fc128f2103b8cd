"""The names of the patient's planes, and of the mirror image, in sentences and legends."""

from __future__ import annotations

from ...consistency.views import MIRRORED
from .translation import tr as _

PLANES = {
    "axial": _("axial"),
    "coronal": _("coronal"),
    "sagittal": _("sagittal"),
    MIRRORED: _("mirror image"),
}
