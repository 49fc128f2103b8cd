"""The way of the tutorial in a fresh Slicer: `python -m host.first_day FOLDER`, in the strict host.

From *Install* to a scene that is saved, closed, loaded and continued. Each step is checked, and its
name printed when it has passed. FOLDER gets the scene. MEDSEGFM_TEST_MISSING names what the fresh
Slicer lacks, which `bare_slicer/sitecustomize.py` keeps from being imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from MedSegFMLib.volumes.region import Region

_ROOT = Path(__file__).resolve().parents[3]
# Around an organ.
_MARGIN_VOXELS = 2
# One box is a beginning; the tests of the models measure how good it is.
_GOOD_DICE = 0.6
# Half the width of the block that the user paints.
_PAINTED_VOXELS = 2


class FirstDay:
    """A user on the first day with MedSegFM; the steps are called in the order of `STEPS`.

    Args:
        folder: Where the scene is saved.
    """

    def __init__(self, folder: Path) -> None:
        from host import application
        from host.panel_driver import Desk

        self._folder = folder
        self._installed: list[str] = []
        self._app = application.start()
        self._use_pip()
        self._desk = Desk(application.load_module(_ROOT / "MedSegFM" / "MedSegFM.py"))
        self._ui, self._logic = self._desk.ui, self._desk.panel.logic
        self._masks: list[Any] = []

    def open(self) -> None:
        """The panel opens, installs nothing, and says what is missing."""
        assert self._installed == []
        assert "packages" in self._ui.setupLabel.text and not self._ui.setupFrame.isHidden()
        assert not self._ui.boxButton.enabled

    def install(self) -> None:
        """Install gets what is missing, and the panel is ready."""
        self._ui.installButton.click()
        assert {"openvino", "safetensors"} <= set(self._installed)
        assert self._ui.setupFrame.isHidden() and self._ui.statusLabel.text == "Ready."

    def sample(self) -> None:
        """Sample makes the phantom and chooses it."""
        from MedSegFMLib.synthesis.phantom import make_abdomen

        self._phantom = make_abdomen()
        self._ui.sampleButton.click()
        self._desk.wait()
        assert self._logic.volume_node.GetName() == "MedSegFM phantom"
        assert self._ui.boxButton.enabled

    def box(self) -> None:
        """A box around the liver gives its segment."""
        self._draw_box("liver")
        assert self._dice("liver", 1) > _GOOD_DICE
        self._masks.append(self._mask(1))

    def click(self) -> None:
        """A click on what is not the liver changes the segment."""
        self._ui.negativeButton.click()
        inside = np.argwhere(self._mask(1))
        self._desk.click_in_view(self._ras(inside[len(inside) // 2]))
        self._desk.wait(lambda: self._ui.promptTable.rowCount == 2)
        self._desk.wait()
        self._ui.negativeButton.click()
        self._masks.append(self._mask(1))
        assert not np.array_equal(*self._masks)

    def undo(self) -> None:
        """Undo brings the segment of the box back."""
        self._ui.undoButton.click()
        self._desk.wait()
        assert self._ui.promptTable.rowCount == 1
        assert np.array_equal(self._mask(1), self._masks[0])

    def redo(self) -> None:
        """Redo brings that of the click back."""
        self._ui.redoButton.click()
        self._desk.wait()
        assert np.array_equal(self._mask(1), self._masks[1])

    def second_segment(self) -> None:
        """Next segment, and a box around the left kidney; the liver stays as it is."""
        self._ui.nextSegmentButton.click()
        self._draw_box("kidney L")
        assert len(self._desk.segment_names()) == 2 and self._dice("kidney L", 2) > _GOOD_DICE
        assert np.array_equal(self._mask(1), self._masks[1])
        self._masks.append(self._mask(2))

    def adopt(self) -> None:
        """A segment painted in the liver is corrected by a click; the others stay as they are."""
        from scene_helpers import paint_segment

        middle = np.argwhere(self._organ("lesion")).mean(axis=0).astype(int)
        low, high = middle - _PAINTED_VOXELS, middle + _PAINTED_VOXELS
        node, geometry = self._logic.segments.node, self._logic.volume.geometry
        node.GetSegmentation().AddEmptySegment("painted", "lesion")
        paint_segment(node, "painted", geometry, Region(tuple(low.tolist()), tuple(high.tolist())))
        self._desk.select_segment("lesion")
        assert self._ui.promptTable.rowCount == 3, "a choice alone changes nothing"
        self._ui.negativeButton.click()
        self._desk.click_in_view(self._ras(low))
        self._desk.wait(lambda: self._ui.promptTable.rowCount == 5)
        self._desk.wait()
        self._ui.negativeButton.click()
        assert self._ui.statusLabel.text.startswith("Done.")
        self._masks.append(self._mask(3))
        assert self._masks[3].any() and not self._masks[3][tuple(low)]
        for label in (1, 2):
            assert np.array_equal(self._mask(label), self._masks[label])

    def save(self) -> None:
        """The scene is saved as Slicer does."""
        import slicer

        scene = slicer.mrmlScene
        scene.StartState(scene.SaveState)
        assert scene.WriteToMRB(str(self._folder / "scene.mrb"))
        scene.EndState(scene.SaveState)

    def close(self) -> None:
        """The scene is closed: the panel is empty."""
        import slicer

        slicer.mrmlScene.Clear()
        self._desk.wait()
        assert self._ui.promptTable.rowCount == 0 and not self._ui.volumeHint.isHidden()

    def load(self) -> None:
        """The scene is loaded: volume, prompts and segments are there."""
        import slicer

        assert slicer.mrmlScene.ReadFromMRB(str(self._folder / "scene.mrb"))
        self._desk.wait()
        assert self._ui.promptTable.rowCount == 5 and len(self._desk.segment_names()) == 3
        for label in (1, 2, 3):
            assert np.array_equal(self._mask(label), self._masks[label])

    def go_on(self) -> None:
        """A further click is answered."""
        self._desk.select_segment(self._desk.segment_names()[1])
        self._ui.positiveButton.click()
        inside = np.argwhere(self._mask(2))
        self._desk.click_in_view(self._ras(inside[len(inside) // 2]))
        self._desk.wait(lambda: self._ui.promptTable.rowCount == 6)
        self._desk.wait()
        assert self._ui.statusLabel.text.startswith("Done.")
        assert self._dice("kidney L", 2) > _GOOD_DICE
        self._desk.close()

    def _use_pip(self) -> None:
        import slicer.packaging

        def check(requirements: Any, *_: Any) -> bool:
            return not os.environ.get("MEDSEGFM_TEST_MISSING")

        def ensure(requirements: Any, requester: str | None = None, **_: Any) -> None:
            self._installed += [requirement.name for requirement in requirements]
            os.environ["MEDSEGFM_TEST_MISSING"] = ""
            importlib.invalidate_caches()

        slicer.packaging.pip_check, slicer.packaging.pip_ensure = check, ensure

    def _draw_box(self, organ: str) -> None:
        inside = np.argwhere(self._organ(organ))
        low, high = inside.min(axis=0) - _MARGIN_VOXELS, inside.max(axis=0) + _MARGIN_VOXELS
        count = self._ui.promptTable.rowCount
        self._desk.draw_box(self._ras(low), self._ras(high))
        self._desk.wait(lambda: self._ui.promptTable.rowCount == count + 1)
        self._desk.wait()

    def _organ(self, name: str) -> Any:
        return self._phantom.labels.array_kji == self._phantom.label(name)

    def _ras(self, voxel_kji: Any) -> tuple[float, float, float]:
        r, a, s = self._phantom.image.geometry.ras_from_ijk(voxel_kji[::-1]).tolist()
        return r, a, s

    def _mask(self, label: int) -> Any:
        import slicer

        found = slicer.util.arrayFromSegmentBinaryLabelmap(
            self._logic.segments.node, self._logic.segments.ids[label], self._logic.volume_node
        )
        return found > 0

    def _dice(self, organ: str, label: int) -> float:
        mask, truth = self._mask(label), self._organ(organ)
        return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


STEPS: tuple[Callable[[FirstDay], None], ...] = (
    FirstDay.open,
    FirstDay.install,
    FirstDay.sample,
    FirstDay.box,
    FirstDay.click,
    FirstDay.undo,
    FirstDay.redo,
    FirstDay.second_segment,
    FirstDay.adopt,
    FirstDay.save,
    FirstDay.close,
    FirstDay.load,
    FirstDay.go_on,
)


if __name__ == "__main__":
    day = FirstDay(Path(sys.argv[1]))
    for step in STEPS:
        step(day)
        print(step.__name__, flush=True)
