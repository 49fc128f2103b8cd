"""The segments of all objects with the ledger of their prompts, in the space of the volume's file.

A transform that the volume stands under in the scene is not part of its file, so that segments and
prompts are brought back from under it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import MaskError
from ...prompts.edits import carrier
from ...results.ledger import (
    Ledger,
    digest_of,
    digest_of_result,
    digests_of_images,
    stored_options,
    versions,
    weights_of,
)
from ...volumes.geometry import Geometry, Matrix
from ...volumes.segmentations.meanings import meaning_of_entry
from ...volumes.segmentations.segmentation import Segment, Segmentation
from ..logic import SegmentationLogic
from ..nodes.transforms import local_to_ras
from ..segments.oriented_images import read_segment, segment_bounds


def scene_segmentation(logic: SegmentationLogic) -> Segmentation:
    """The segments of all objects in RAS millimetres of the scene, with names, colours, meanings.

    Raises:
        MaskError: If there is no object with a segment.
        VolumeError: If no volume is chosen.
    """
    volume, node = logic.require_volume(), logic.segments.node
    labels = [label for label in logic.prompts.labels if logic.segments.is_there(label)]
    if not labels:
        raise MaskError("There is no segment to save yet; place a box or click on an object first.")
    grid = logic.segments.grid(volume.geometry)
    found = []
    for label in labels:
        segment_id = logic.segments.ids[label]
        segment = node.GetSegmentation().GetSegment(segment_id)  # type: ignore[union-attr]
        region = segment_bounds(node, segment_id, grid)
        mask = np.zeros(grid.geometry.shape_kji, bool)
        if region is not None:
            mask[region.slices] = read_segment(node, segment_id, grid, region)
        red, green, blue = segment.GetColor()
        found.append(
            Segment.from_mask(
                label,
                str(segment.GetName()),
                mask,
                color_rgb=(red, green, blue),
                meaning=meaning_of_entry(str(segment.GetTerminology() or "")),
            )
        )
    return Segmentation(grid.geometry, tuple(found))


def file_segmentation(logic: SegmentationLogic, has_layers: bool = True) -> Segmentation:
    """The segments of all objects in the space of the volume's file, without a ledger.

    Args:
        logic: The scene logic.
        has_layers: Whether segments may overlap; otherwise a voxel belongs to the last of them.

    Raises:
        MaskError, VolumeError: As `scene_segmentation`.
    """
    segmentation = scene_segmentation(logic)
    if not has_layers:
        segmentation = _flattened(segmentation)
    return replace(segmentation, geometry=_moved(segmentation.geometry, _to_file(logic)))


def file_result(logic: SegmentationLogic, has_layers: bool = True) -> Segmentation:
    """As `file_segmentation`, with the ledger of the prompts."""
    segmentation = file_segmentation(logic, has_layers)
    volume, model = logic.require_volume(), logic.requests.model
    prompts = logic.requests.limited(logic.prompts)
    if logic.volume_node.GetParentTransformNode() is not None:  # type: ignore[union-attr]
        prompts = carrier(_to_file(logic))(prompts)
    geometry = file_geometry(logic)
    options = {name: str(value) for name, value in model.options.items()}
    ledger = Ledger(
        model.name,
        stored_options(model.name, options),
        weights_of(model.name, options),
        geometry,
        digest_of(volume),
        prompts,
        treatment=logic.objects.treatment,
        versions=versions(),
        result_sha256=digest_of_result(segmentation, geometry),
        asked_with=() if model.card.takes_words else None,
        images=digests_of_images(volume),
        primary=volume.primary,
    )
    return replace(segmentation, ledger=ledger.to_json())


def file_geometry(logic: SegmentationLogic) -> Geometry:
    """The grid of the volume in the space of its file."""
    return _moved(logic.require_volume().geometry, _to_file(logic))


def _flattened(segmentation: Segmentation) -> Segmentation:
    """The same segments without overlap, as a label map holds them."""
    labels = segmentation.labelmap().array_kji
    segments = (
        replace(segment, mask_kji=labels[segment.region.slices] == segment.label)
        for segment in segmentation.segments
    )
    return replace(segmentation, segments=tuple(segments))


def _to_file(logic: SegmentationLogic) -> Matrix:
    """(4, 4): from RAS millimetres of the scene to those of the volume's file."""
    return np.asarray(np.linalg.inv(local_to_ras(logic.volume_node)), np.float64)


def _moved(geometry: Geometry, matrix: Matrix) -> Geometry:
    return Geometry(geometry.shape_kji, matrix @ geometry.ijk_to_ras)
