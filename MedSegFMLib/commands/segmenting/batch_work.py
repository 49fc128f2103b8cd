"""The work of a process on one volume of many; `many_volumes` is the command."""

from __future__ import annotations

import time
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory

from ...batch.digests import digest_of_files
from ...batch.records import Job, ObjectRow, Segmented, SliceRow
from ...consistency import PlaneViews
from ...consistency.assessment import Assessment, assess
from ...consistency.lower_bound import LowerBound
from ...drawing.panels import middle_voxel, panels_through
from ...drawing.picture import Scene, draw_panels, write_picture
from ...errors import PromptError
from ...progress import no_progress
from ...segmenter import Segmenter
from ...session.session import Session
from ...system.atomic_files import make_folder
from ...tasks.attempt import attempt
from ...tasks.records import Outcome
from ...volumes.segmentations.segmentation import Segmentation
from ..arguments.masks import resampling_notes
from ..arguments.outputs import check_outputs
from ..arguments.picture import chosen_window, outlines_of
from .bound_output import lower_bounds
from .model_arguments import model_options
from .one_volume import Prepared, inputs_of, output_of, prepare


def segment_job(job: Job, segmenter: Segmenter) -> Outcome:
    """Segment the volume of a job and write its result; nothing is raised."""
    return attempt(job, lambda: _segment(job, segmenter))


def _segment(job: Job, segmenter: Segmenter) -> Segmented:
    begun = time.perf_counter()
    arguments, result = job.arguments, output_of(job.arguments)
    make_folder(job.output.parent, "choose another in the column output")
    if arguments.prompts and not Path(arguments.prompts).exists():
        raise PromptError(
            f"The file with the prompts of {job.name}, {arguments.prompts}, does not exist; save "
            "it with --prompts-out, or give prompts for all volumes."
        )
    check_outputs(result.files, job.volume, inputs_of(arguments))
    result.check()
    prepared = prepare(arguments, result)
    session = prepared.begin(segmenter)
    segmentation = result.segments(session, no_progress)
    assessed = _assess(session, arguments.quick)
    result = prepared.result
    bounds = lower_bounds(session, arguments.model, model_options(arguments), result.treatment)
    resampled = resampling_notes(prepared.masks, prepared.volume.geometry)
    own = filter(None, [prepared.unprompted, session.unused_images])
    notes = [*result.flattened(session), *resampled, *own]
    options = model_options(arguments)
    result.write(
        segmentation,
        session.volume,
        session.segmenter.card.name,
        prepared.prompts,
        arguments,
        options,
        prepared.by_class,
    )
    picture = _picture(job, prepared, segmentation, assessed)
    seconds = time.perf_counter() - begun
    rows = [
        _row(
            job,
            prepared,
            segmentation,
            label,
            assessed.get(label),
            bounds.get(label),
            seconds,
            " ".join(notes),
        )
        for label, _ in prepared.prompts.objects
    ]
    return Segmented(job.name, rows, _slices(job, prepared, assessed), seconds, picture)


def _assess(session: Session, quick: bool) -> dict[int, Assessment]:
    predictions = session.predict_all() if quick else PlaneViews(session).predict_all()
    return {label: assess(prediction) for label, prediction in predictions.items()}


def _row(
    job: Job,
    prepared: Prepared,
    segmentation: Segmentation,
    label: int,
    assessed: Assessment | None,
    bound: LowerBound | None,
    seconds: float,
    notes: str,
) -> ObjectRow:
    voxel_ml = prepared.volume.geometry.voxel_volume_mm3 / 1000
    voxels = next((s.voxels for s in segmentation.segments if s.label == label), 0)
    known = assessed or Assessment(None, None, 0.0, ())
    return ObjectRow(
        case=job.name,
        object=prepared.prompts.name(label),
        label=label,
        frame=job.arguments.frame or 0,
        model=job.model,
        voxels=voxels,
        ml=round(voxels * voxel_ml, 4),
        expected_dice=_number(known.expected_dice if voxels else None),
        lower_bound=_number(None if bound is None else bound.value),
        agreement=_number(known.agreement),
        wrong_ml=round(known.wrong_voxels * voxel_ml, 4),
        worst_slice=known.slices[0].k if known.slices else -1,
        seconds=round(seconds, 3),
        objects=len(prepared.prompts.objects),
        notes=notes,
        # Both are known to the folder of the batch.
        output="",
        output_sha256=digest_of_files(job.output),
        inputs_sha256="",
    )


def _slices(job: Job, prepared: Prepared, assessed: dict[int, Assessment]) -> list[SliceRow]:
    spacing = prepared.volume.geometry.spacing_ijk_mm
    return [
        SliceRow(
            job.name,
            prepared.prompts.name(label),
            job.arguments.frame or 0,
            item.k,
            round(item.wrong_voxels * spacing[0] * spacing[1], 3),
            _number(item.expected_dice),
        )
        for label, known in assessed.items()
        for item in known.slices
    ]


def _number(value: float | None) -> float:
    return nan if value is None else round(value, 4)


def _picture(
    job: Job, prepared: Prepared, segmentation: Segmentation, assessed: dict[int, Assessment]
) -> bytes:
    """The planes through the worst slice of the least sure object as JPEG, for the review."""
    known = {label: item for label, item in assessed.items() if item.slices}
    place = None
    title = job.name
    if known:
        label = min(known, key=lambda label: known[label].expected_dice or 0.0)
        segment = segmentation.segment(label)
        k = known[label].slices[0].k
        mask = segment.on(segmentation.geometry)
        here = middle_voxel(mask[k])
        place = None if here is None else [k, *map(int, here)]
        expected = known[label].expected_dice
        title += f", {segment.name}: " + (
            "nothing found" if expected is None else f"expected Dice {expected:.2f}"
        )
    shown = [prompt for _, prompt in prepared.prompts.entries]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        scene = Scene(
            prepared.volume, outlines_of(segmentation), shown, chosen_window(job.arguments)
        )
        write_picture(draw_panels(scene, panels_through(scene, place), title), path)
        return path.read_bytes()
