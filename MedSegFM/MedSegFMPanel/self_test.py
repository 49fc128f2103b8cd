"""The module's self test, on a small phantom with a real worker.

It runs in Slicer's Self Tests module, and with slicer-core in the tests of the sources. Every check
passes in a Slicer in which nothing was installed, without a network: the model is weights-free.
If the default model can run, the checks that depend on a model run with that one as well.
"""

import os
import signal
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import slicer

from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.nodes.volume_nodes import volume_from_node
from MedSegFMLib.mrml.prompts.nodes import box_from_roi, show_prompt
from MedSegFMLib.mrml.training.training_set import AcceptedSegments, write_cases
from MedSegFMLib.mrml.updates import Written
from MedSegFMLib.mrml.words.model_messages import weights_fault
from MedSegFMLib.prompts.types import Box, Point
from MedSegFMLib.registry import DEFAULT_MODEL, card, missing_packages
from MedSegFMLib.worker.events import Restarted, Stopped

from .model.installation import RUNTIMES
from .self_test_phantom import (
    BALL_IJK,
    PATIENCE_SECONDS,
    SHAPE_KJI,
    WEIGHTS_FREE,
    add_ball,
    ball,
    ball_box,
    dice,
    logic_on_ball,
    read_volume,
    scene_logic,
    segment_mask,
    wait,
)

# A ball of 15 voxels has much surface.
_GOOD_DICE = 0.75


def check_geometry(test):
    """A box in an oblique, anisotropic, left-handed volume comes back as it was."""
    node = add_ball()
    geometry = volume_from_node(node).geometry
    box = Box.from_ijk(geometry, (8, 6, 4), (26, 24, 20))
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    show_prompt(roi, box)
    ours, theirs = (_sorted(b.corners_ras()) for b in (box, box_from_roi(roi)))
    test.assertLess(float(np.abs(ours - theirs).max()), 1e-3)


def check_prompt_gives_segment(test):
    """A box around the object gives its segment."""
    with logic_on_ball(test) as (logic, node):
        logic.add(ball_box(node))
        wait(logic)
        mask = segment_mask(logic, node, 1)
        test.assertGreater(dice(mask, ball()), _GOOD_DICE)


def check_overlap_policy(test):
    """A neighbour keeps its voxels unless overwriting is asked for, and while it is locked."""
    for overwrite, locked, keeps in (
        ("none", False, True),
        ("all", True, True),
        ("all", False, False),
    ):
        with logic_on_ball(test) as (logic, node):
            logic.limits.overwrite = overwrite
            logic.objects.add("neighbour")
            half = ball() & (np.indices(SHAPE_KJI)[2] < BALL_IJK[0])
            slicer.util.updateSegmentBinaryLabelmapFromArray(
                half.astype(np.uint8), logic.segments.node, logic.segments.ids[1], node
            )
            logic.objects.set_locked(1, locked)
            logic.objects.add("object")
            logic.add(ball_box(node))
            wait(logic)
            test.assertEqual(np.array_equal(segment_mask(logic, node, 1), half), keeps)
            overlaps = bool((segment_mask(logic, node, 1) & segment_mask(logic, node, 2)).any())
            test.assertEqual(overlaps, overwrite == "none")
        slicer.mrmlScene.Clear()


def check_undo_and_redo(test):
    """Undo and redo bring the segments of those prompts back."""
    with logic_on_ball(test) as (logic, node):
        logic.add(ball_box(node))
        wait(logic)
        first = segment_mask(logic, node, 1)
        logic.add(Point.from_ijk(logic.volume.geometry, BALL_IJK, positive=False))
        wait(logic)
        second = segment_mask(logic, node, 1)
        test.assertFalse(np.array_equal(first, second))
        logic.undo()
        wait(logic)
        test.assertTrue(np.array_equal(segment_mask(logic, node, 1), first))
        logic.redo()
        wait(logic)
        test.assertTrue(np.array_equal(segment_mask(logic, node, 1), second))


def check_planes_are_compared(test):
    """The disagreement of the planes is shown after the segment, which is not changed."""
    with logic_on_ball(test) as (logic, node):
        logic.add(ball_box(node))
        wait(logic)
        mask = segment_mask(logic, node, 1)
        logic.consistency.switch(True)
        wait(logic)
        found, overlay = logic.consistency.current, logic.consistency_view.overlay
        test.assertTrue(0 <= found.agreement <= 1)
        test.assertTrue(np.array_equal(segment_mask(logic, node, 1), mask))
        shown, expected = volume_from_node(overlay.node), logic.volume.geometry.crop(found.region)
        test.assertTrue(shown.geometry.matches(expected))
        test.assertTrue(np.array_equal(shown.array_kji, found.disagreement_kji))
        test.assertEqual(logic.questions.answer_doubt(True), found.suggestion is not None)
        logic.consistency.switch(False)
        test.assertIsNone(overlay.node)
        wait(logic)


def check_models_are_compared(test):
    """Models get the same prompts, the segment stays, and a result can be taken and given back."""
    with logic_on_ball(test) as (logic, node):
        logic.add(ball_box(node))
        wait(logic)
        mask = segment_mask(logic, node, 1)
        comparison = ModelComparison(logic)
        comparison.start(["ellipsoid", "randomwalk"])
        end = monotonic() + PATIENCE_SECONDS
        while comparison.is_computing:
            test.assertLess(monotonic(), end)
            logic.pump()
            comparison.pump()
            sleep(0.01)
        test.assertTrue(np.array_equal(segment_mask(logic, node, 1), mask))
        found = comparison.result("randomwalk").masks[1]
        expected = np.zeros(SHAPE_KJI, bool)
        expected[found.region.slices] = found.mask_kji
        comparison.use_result("randomwalk", 1)
        test.assertTrue(np.array_equal(segment_mask(logic, node, 1), expected))
        logic.undo()
        test.assertTrue(np.array_equal(segment_mask(logic, node, 1), mask))
        comparison.shut_down()


def check_training_set(test):
    """Accepted segments become cases: the voxels of volume and segment, where they are."""
    with tempfile.TemporaryDirectory() as folder, logic_on_ball(test) as (logic, node):
        logic.add(ball_box(node))
        wait(logic)
        cases = Path(folder) / "cases"
        for _step in write_cases(AcceptedSegments(slicer.mrmlScene).candidates(), cases):
            pass
        (case,) = read_cases(cases / "cases.json")
        image, label = read_volume(case.image), read_volume(case.label)
        test.assertTrue(image.geometry.matches(logic.volume.geometry, tolerance_mm=1e-3))
        test.assertTrue(label.geometry.matches(image.geometry, tolerance_mm=1e-3))
        test.assertTrue(np.array_equal(image.array_kji, logic.volume.array_kji))
        test.assertTrue(np.array_equal(label.array_kji == 1, segment_mask(logic, node, 1)))


def check_save_and_load(test):
    """A saved scene comes back with its prompts, and goes on."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "scene.mrb")
        with logic_on_ball(test) as (logic, node):
            logic.add(ball_box(node))
            wait(logic)
            prompts = logic.prompts
            test.assertTrue(slicer.mrmlScene.WriteToMRB(path))
        slicer.mrmlScene.Clear()
        with scene_logic(test) as (logic, _client):
            test.assertTrue(slicer.mrmlScene.ReadFromMRB(path))
            wait(logic)
            test.assertEqual(logic.prompts, prompts)
            logic.add(Point.from_ijk(logic.volume.geometry, BALL_IJK))
            wait(logic)
            test.assertGreater(dice(segment_mask(logic, logic.volume_node, 1), ball()), _GOOD_DICE)


def check_cancel(test):
    """Cancel ends a prediction, and the prompts stay."""
    with logic_on_ball(test) as (logic, node):
        logic.add(ball_box(node))
        logic.cancel()
        updates = wait(logic)
        test.assertTrue(any(isinstance(update, Stopped | Written) for update in updates))
        test.assertEqual(len(logic.prompts.entries), 1)


def check_crash(test):
    """A worker that is killed is started again, and answers."""
    with scene_logic(test) as (logic, client):
        node = add_ball()
        logic.set_volume(node)
        logic.add(ball_box(node))
        wait(logic)
        os.kill(client.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        logic.add(Point.from_ijk(logic.volume.geometry, BALL_IJK))
        updates = wait(logic)
        test.assertTrue(any(isinstance(update, Restarted | Written) for update in updates))
        test.assertGreater(dice(segment_mask(logic, node, 1), ball()), _GOOD_DICE)


CHECKS = (
    check_geometry,
    check_prompt_gives_segment,
    check_overlap_policy,
    check_undo_and_redo,
    check_planes_are_compared,
    check_models_are_compared,
    check_training_set,
    check_save_and_load,
    check_cancel,
    check_crash,
)


# Those whose result depends on the model.
_MODEL_CHECKS = (check_prompt_gives_segment, check_undo_and_redo, check_save_and_load)


def plan():
    """Each model to test and its checks."""
    checks = [(WEIGHTS_FREE, CHECKS)]
    if not why_left_out(DEFAULT_MODEL):
        checks.append((DEFAULT_MODEL, _MODEL_CHECKS))
    return checks


def why_left_out(model):
    """A sentence about what a model lacks in this Slicer; "" if it can run."""
    model_card = card(model)
    missing = missing_packages(model_card)
    if model_card.weights is not None and not any(map(find_spec, RUNTIMES)):
        missing.append(" or ".join(RUNTIMES))
    fault = weights_fault(model_card)
    if not missing and not fault:
        return ""
    reason = f"it needs {' and '.join(missing)}." if missing else fault
    return f"{model_card.title} was left out: {reason}"


def _sorted(corners):
    return np.array(sorted(map(tuple, np.round(corners, 4))))
