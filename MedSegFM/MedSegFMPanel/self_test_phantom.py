"""The phantom of the self test: a bright ball in a scene, its volume oblique and left-handed."""

from contextlib import contextmanager
from time import monotonic, sleep

import numpy as np
import slicer

from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.volume_nodes import volume_from_node
from MedSegFMLib.prompts.types import Box
from MedSegFMLib.volumes.io.sitk_images import volume_from_sitk
from MedSegFMLib.worker.client import WorkerClient
from MedSegFMLib.worker.launchers import LocalLauncher

# The model that needs neither packages nor weights.
WEIGHTS_FREE = "randomwalk"
SHAPE_KJI = (24, 30, 34)
BALL_IJK, _RADIUS = (17, 15, 12), 7
PATIENCE_SECONDS = 60


@contextmanager
def scene_logic(test):
    """A scene logic with a worker of its own, which both end with the block; yields both."""
    client = WorkerClient(LocalLauncher())
    logic = SegmentationLogic(slicer.mrmlScene, lambda _host: client, slicer.app.applicationLogic())
    logic.set_model(getattr(test, "model", WEIGHTS_FREE))
    try:
        yield logic, client
    finally:
        logic.close()


@contextmanager
def logic_on_ball(test):
    """A scene logic with the ball as its volume; yields it and the volume node."""
    with scene_logic(test) as (logic, _client):
        node = add_ball()
        logic.set_volume(node)
        yield logic, node


def add_ball():
    """Add the volume with the ball to the scene; returns its node."""
    turn = np.deg2rad(20)
    axes = np.array([[-np.cos(turn), np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes * (1.0, 1.2, 2.0), (12.5, -40.0, 7.0)
    voxels = np.where(ball(), 300, 40) + np.random.default_rng(0).normal(0, 10, SHAPE_KJI)
    return slicer.util.addVolumeFromArray(voxels.astype(np.int16), matrix, "Ball")


def ball():
    """The voxels of the ball: bool (k, j, i)."""
    k, j, i = np.indices(SHAPE_KJI)
    x, y, z = BALL_IJK
    return (i - x) ** 2 + (j - y) ** 2 + (k - z) ** 2 <= _RADIUS**2


def ball_box(node):
    """A box around the ball, a voxel larger on each side."""
    low = [v - _RADIUS - 1 for v in BALL_IJK]
    high = [v + _RADIUS + 2 for v in BALL_IJK]
    return Box.from_ijk(volume_from_node(node).geometry, low, high)


def read_volume(path):
    """A volume by Slicer's own SimpleITK; the library's reader needs packages that Slicer lacks."""
    import SimpleITK

    return volume_from_sitk(SimpleITK.ReadImage(str(path)), str(path))


def segment_mask(logic, volume_node, label):
    """The voxels of an object's segment: bool (k, j, i); none if it has no segment."""
    found = slicer.util.arrayFromSegmentBinaryLabelmap(
        logic.segments.node, logic.segments.ids[label], volume_node
    )
    return np.zeros(SHAPE_KJI, bool) if found is None else found > 0


def dice(first, second):
    """The Dice of two masks."""
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def wait(logic):
    """Let the logic work until no answer is awaited; returns its updates."""
    updates, end = [], monotonic() + PATIENCE_SECONDS
    while True:
        updates += logic.pump()
        if not (logic.is_predicting or logic.consistency.is_measuring):
            return updates
        if monotonic() > end:
            raise AssertionError(f"No answer within {PATIENCE_SECONDS} s: {updates}")
        sleep(0.01)
