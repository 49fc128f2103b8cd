"""The names of the patient's planes in sentences and legends."""

from __future__ import annotations

from .translation import tr as _

PLANES = {"axial": _("axial"), "coronal": _("coronal"), "sagittal": _("sagittal")}
