"""The settings of the recipe `consistent-sam3d`. Imports without torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..consistent.settings import AgreementSettings
from ..sam3d.settings import Sam3dSettings


@dataclass(frozen=True)
class ConsistentSam3dSettings(AgreementSettings, Sam3dSettings):
    """Those of the recipe `sam3d`, and those of the agreement between views."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_agreement()
