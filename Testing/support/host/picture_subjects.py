"""What the pictures of the guide show: two real volumes that may be shown, else the phantom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedSegFMLib.synthesis.phantom import make_abdomen
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.volume import Volume

_DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
_CT = "train2/ct_pancreas_plan/image.nii.gz"
_MR = "cases/mr_sts042"
# The couch below the patient takes half of a view.
_CT_BODY = Region((0, 0, 60), (79, 262, 434))


@dataclass(frozen=True)
class Source:
    """Where an image is from, for the captions that show it."""

    title: str
    doi: str
    licence: str


CT = Source("Hong et al. 2021, Pancreatic-CT-CBCT-SEG", "10.7937/TCIA.ESHQ-4D90", "CC BY 4.0")
MR = Source(
    "Vallières et al. 2015, Soft-tissue-Sarcoma", "10.7937/K9/TCIA.2015.7GO2GSKS", "CC BY 3.0"
)
CREDITS = {
    CT: ("views-segmented.png", "browser-segmented.png", "browser-compare.png"),
    MR: ("views-models.png", "views-outlines.png", "views-consistency.png"),
}

Voxel = tuple[int, int, int]
Place = tuple[float, float, float]


@dataclass(frozen=True)
class Subject:
    """A volume, and what is done to it in the pictures.

    Attributes:
        name: The name of the volume in the scene.
        source: Where it is from; None for the phantom, which is the project's own.
        image: The volume.
        window_level: Width and level of the grey values.
        boxes: By the name of a segment, two opposite corners (i, j, k) of the box around it.
        look_ijk: The voxel that the views go through.
        excess_ijk: A voxel that the last segment should not have, for a click; None for none.
        expert_kji: A segment that an expert drew, bool (K, J, I); None if there is none.
    """

    name: str
    source: Source | None
    image: Volume
    window_level: tuple[float, float]
    boxes: dict[str, tuple[Voxel, Voxel]]
    look_ijk: Voxel
    excess_ijk: Voxel | None = None
    expert_kji: Any = None

    def ras(self, voxel_ijk: Voxel) -> Place:
        """The centre of a voxel."""
        r, a, s = self.image.geometry.ras_from_ijk(voxel_ijk).tolist()
        return r, a, s

    def load(self) -> Any:
        """Load it into the scene, as a user does, and show it in its window."""
        import slicer

        geometry = self.image.geometry
        node = slicer.util.addVolumeFromArray(self.image.array_kji, geometry.ijk_to_ras, self.name)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(*self.window_level)
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
        return node

    def add_expert(self, volume_node: Any) -> Any:
        """The expert's segment, in a segmentation of its own that the views do not show."""
        import slicer

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Expert")
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetVisibility(False)
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        segment_id = node.GetSegmentation().AddEmptySegment("", next(iter(self.boxes)))
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            self.expert_kji.astype(np.uint8), node, segment_id, volume_node
        )
        return node


def abdomen() -> Subject:
    """A CT of an abdomen, for three organs and a cyst."""
    if not (_DATA / _CT).is_file():
        return _phantom(("liver", "spleen", "kidney L", "kidney R"))
    return Subject(
        "Abdomen CT",
        CT,
        Volume.read(_DATA / _CT).crop(_CT_BODY),
        (400, 60),
        {
            "spleen": ((240, 105, 18), (350, 195, 43)),
            "left kidney": ((224, 116, 0), (302, 190, 30)),
            "cyst": ((82, 146, 14), (152, 204, 35)),
            "gallbladder": ((58, 55, 8), (140, 105, 34)),
        },
        look_ijk=(262, 150, 24),
        excess_ijk=(118, 77, 20),
    )


def tumour() -> Subject:
    """An MR of a thigh with a tumour that an expert drew."""
    if not (_DATA / _MR).is_dir():
        return _phantom(("liver",))
    expert_kji = Volume.read(_DATA / _MR / "label.nii.gz").array_kji > 0
    return Subject(
        "Thigh MR",
        MR,
        Volume.read(_DATA / _MR / "image.nii.gz"),
        (1000, 500),
        {"tumour": _box_around(expert_kji)},
        look_ijk=_middle(expert_kji),
        expert_kji=expert_kji,
    )


def _phantom(organs: tuple[str, ...]) -> Subject:
    phantom = make_abdomen()
    masks = {organ: phantom.labels.array_kji == phantom.label(organ) for organ in organs}
    return Subject(
        "MedSegFM phantom",
        None,
        phantom.image,
        (400, 40),
        {_TERMS.get(organ, organ): _box_around(mask) for organ, mask in masks.items()},
        look_ijk=_middle(masks[organs[0]]),
        expert_kji=masks[organs[0]],
    )


# What the terminology calls organs of the phantom.
_TERMS = {"kidney L": "left kidney", "kidney R": "right kidney"}
_MARGIN = 2


def _box_around(mask_kji: Any) -> tuple[Voxel, Voxel]:
    inside = np.argwhere(mask_kji)[:, ::-1]
    last = np.array(mask_kji.shape[::-1]) - 1
    low, high = inside.min(axis=0) - _MARGIN, inside.max(axis=0) + _MARGIN
    return _voxel(np.maximum(low, 0)), _voxel(np.minimum(high, last))


def _middle(mask_kji: Any) -> Voxel:
    """The voxel of a mask that is nearest to its centre."""
    inside = np.argwhere(mask_kji)[:, ::-1]
    distances = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
    return _voxel(inside[np.argmin(distances)])


def _voxel(ijk: Any) -> Voxel:
    i, j, k = ijk.tolist()
    return i, j, k
