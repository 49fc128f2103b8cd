"""The section "Adapt to my site", clicked as a user does, with a training that only pretends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host import tiny_sam
from host.fake_training import FakeProgram
from processes import is_alive
from waiting import wait_until

from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.mrml.training.adaptation import Phase
from MedSegFMLib.weights import installing, store
from MedSegFMLib.worker.client import WorkerClient
from MedSegFMLib.worker.trial_process import ProcessTrial


def add_ball(name: str, center_kji: tuple[int, int, int], segments: tuple[str, ...]) -> Any:
    """A volume node with a ball, and a segmentation of it with as many segments as are named."""
    import slicer

    k, j, i = np.indices((16, 20, 24))
    z, y, x = center_kji
    ball = (k - z) ** 2 + (j - y) ** 2 + (i - x) ** 2 <= 25
    voxels = np.where(ball, 300, 40) + np.random.default_rng(0).normal(0, 10, ball.shape)
    matrix = np.diag([1.0, 1.5, 2.0, 1.0])
    volume = slicer.util.addVolumeFromArray(voxels.astype(np.int16), matrix, name)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} segmentation")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for n, segment in enumerate(segments):
        segment_id = node.GetSegmentation().AddEmptySegment("", segment)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            (ball & (i % 2 == n)).astype(np.uint8), node, segment_id, volume
        )
    return volume


@pytest.fixture
def site(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The desk with two segmented volumes, weights of SAM by name, and the section open."""
    from MedSegFMLib.mrml.words import model_messages as model_facts

    here = lambda card: store.Installed(card.name, Path("sam.pth"), "0", 1, False)  # noqa: E731
    monkeypatch.setattr(model_facts, "weights_here", here)
    monkeypatch.setattr(desk.panel.installation, "explain", lambda card: "")
    add_ball("CT 1", (8, 10, 12), ("liver",))
    add_ball("CT, 2", (7, 9, 11), ("liver", "spleen"))
    open_section(desk)
    use(desk, "better")
    return desk


def open_section(desk: Any) -> None:
    desk.ui.adaptSection.collapsed = False
    desk.panel.pump()


def use(desk: Any, mode: str) -> None:
    desk.panel.adapting.adapting._make_program = lambda _recipe, settings: FakeProgram(
        mode, settings
    )


def wait_for_steps(desk: Any) -> None:
    adapting = desk.panel.adapting.adapting
    desk.wait(lambda: adapting.phase is not Phase.PREPARING and adapting.fraction > 0)


def wait_for(desk: Any, phase: Phase) -> None:
    desk.wait(lambda: desk.panel.adapting.adapting.phase is phase)


def test_what_is_missing_is_said_and_the_button_waits(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSegFMLib.mrml.words import model_messages as model_facts

    ui = desk.ui
    monkeypatch.setattr(desk.panel.installation, "explain", lambda card: "")
    open_section(desk)
    assert "weights of SAM" in ui.adaptHint.text and not ui.adaptButton.enabled
    here = lambda card: store.Installed(card.name, Path("sam.pth"), "0", 1, False)  # noqa: E731
    monkeypatch.setattr(model_facts, "weights_here", here)
    desk.panel.adapting._look()
    assert "at least two volumes" in ui.adaptHint.text
    add_ball("CT 1", (8, 10, 12), ("liver",))
    desk.panel.adapting._look()
    assert "Only CT 1 has segments" in ui.adaptHint.text
    assert ui.adaptButton.toolTip == ui.adaptHint.text and not ui.adaptButton.enabled
    add_ball("CT 2", (8, 10, 12), ("liver",))
    desk.panel.adapting._look()
    assert "2 segments in 2 volumes" in ui.adaptHint.text and ui.adaptButton.enabled
    assert [ui.adaptHeldBack.itemText(n) for n in range(2)] == ["CT 1", "CT 2"]
    assert ui.adaptHeldBack.currentText == "CT 1", "what is shown stays where volumes come"


def test_missing_packages_are_installed_on_a_click(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[tuple[str, ...]] = []
    installation = desk.panel.installation
    monkeypatch.setattr(
        installation, "explain", lambda card: "" if installed else f"{card.title} needs peft."
    )
    monkeypatch.setattr(installation, "install", lambda card: installed.append(card.packages))
    open_section(desk)
    button = desk.ui.adaptButton
    assert desk.ui.adaptHint.text == button.toolTip == "Cross-plane SAM needs peft."
    assert button.text == "Install" and button.enabled
    button.click()
    assert {"torch", "peft", "accelerate"} <= set(installed[0])
    assert button.text == "Adapt" and "weights of SAM" in desk.ui.adaptHint.text


def test_a_training_shows_progress_and_its_scores_before_and_after(site: Any) -> None:
    ui, adapting = site.ui, site.panel.adapting.adapting
    use(site, "slow")
    ui.adaptSteps.value = 20
    ui.adaptHeldBack.setCurrentIndex(1)
    ui.adaptButton.click()
    assert adapting.phase is Phase.PREPARING and not ui.adaptButton.enabled
    site.wait(lambda: adapting.minutes_left is not None)
    assert "share this computer's memory" in ui.adaptHint.text
    assert "step" in ui.adaptStatus.text.lower() and "minute left" in ui.adaptStatus.text
    assert not ui.adaptProgress.isHidden() and ui.adaptProgress.value > 0
    wait_for(site, Phase.DONE)
    assert "CT, 2" in ui.adaptScores.text
    assert "0.801" in ui.adaptScores.text and "0.881" in ui.adaptScores.text
    assert "got better" in ui.adaptStatus.text and ui.useAdaptedButton.text == "Use it"
    assert adapting.plan.held_back == "CT_2" and adapting.plan.base == "sam"
    cases = read_cases(adapting.plan.folder / "cases" / "cases.json")
    assert [case.name for case in cases] == ["CT_1", "CT_2"]
    assert [name for _, name in cases[1].objects] == ["liver", "spleen"]
    loaded = load_case(cases[1])
    assert not loaded.resampled and set(np.unique(loaded.label.array_kji)) == {0, 1, 2}
    ui.adaptFolderButton.click()
    assert site.panel.dialogs.folder == str(adapting.plan.folder)


def test_the_user_chooses_what_is_held_back_and_where_it_starts_from(site: Any) -> None:
    ui = site.ui
    ui.adaptBase.setCurrentIndex(1)
    ui.adaptSteps.value = 3
    site.panel.adapting._look()
    ui.adaptButton.click()
    plan = site.panel.adapting.adapting.plan
    assert (plan.held_back, plan.base, plan.steps) == ("CT_1", "medsam", 3)
    wait_for(site, Phase.DONE)


def test_a_worse_result_is_not_pushed(site: Any) -> None:
    use(site, "worse")
    site.ui.adaptSteps.value = 3
    site.ui.adaptButton.click()
    wait_for(site, Phase.DONE)
    assert "got worse" in site.ui.adaptStatus.text
    assert site.ui.useAdaptedButton.text == "Use it anyway"


def test_cancel_stops_and_continue_goes_on_from_there(site: Any) -> None:
    ui, adapting = site.ui, site.panel.adapting.adapting
    use(site, "slow")
    ui.adaptSteps.value = 400
    ui.adaptButton.click()
    wait_for_steps(site)
    ui.adaptCancelButton.click()
    assert ui.adaptCancelButton.text == "Stop now" and "Saving" in ui.adaptStatus.text
    wait_for(site, Phase.STOPPED)
    assert ui.adaptButton.text == "Continue" and ui.adaptButton.enabled
    saved = json.loads((adapting.plan.folder / "result" / "state.json").read_text(encoding="utf-8"))
    folder = adapting.plan.folder
    use(site, "better")
    ui.adaptButton.click()
    wait_for_steps(site)
    assert adapting.fraction >= saved / 400 and adapting.plan.folder == folder
    wait_for(site, Phase.DONE)
    assert ui.adaptButton.text == "Adapt"


def test_stop_now_ends_a_training_that_does_not_listen(site: Any) -> None:
    use(site, "deaf")
    site.ui.adaptButton.click()
    wait_for_steps(site)
    site.ui.adaptCancelButton.click()
    site.ui.adaptCancelButton.click()
    wait_for(site, Phase.STOPPED)
    site.ui.adaptCancelButton.click()
    assert site.panel.adapting.adapting.phase is Phase.IDLE
    assert site.ui.adaptButton.text == "Adapt"


@pytest.mark.parametrize(
    ("mode", "said"),
    [("fails", "The loss is not finite at step 3"), ("dies", "status 9: no memory left")],
)
def test_why_a_training_failed_is_said(site: Any, mode: str, said: str) -> None:
    use(site, mode)
    site.ui.adaptButton.click()
    wait_for(site, Phase.FAILED)
    assert said in site.ui.adaptStatus.text and site.ui.adaptButton.text == "Continue"
    assert site.ui.useAdaptedButton.isHidden()


def test_closing_the_scene_stops_a_training_and_keeps_what_it_learned(site: Any) -> None:
    import slicer

    use(site, "slow")
    site.ui.adaptButton.click()
    wait_for_steps(site)
    slicer.mrmlScene.Clear()
    wait_for(site, Phase.STOPPED)
    assert (site.panel.adapting.adapting.plan.folder / "result" / "state.json").is_file()


def test_closing_slicer_ends_the_training(site: Any) -> None:
    use(site, "deaf")
    adapting = site.panel.adapting.adapting
    site.ui.adaptButton.click()
    wait_for_steps(site)
    pid = adapting.pid
    site.panel.close()
    wait_until(lambda: not is_alive(pid))


def test_a_real_training_of_tiny_weights_is_imported_and_used(desk: Any, tmp_path: Path) -> None:
    for package in ("torch", "peft", "accelerate", "segment_anything"):
        pytest.importorskip(package)
    from sam_checkpoints import write_checkpoint

    from MedSegFMLib.weights.checksums import sha256_of

    weights = write_checkpoint(tmp_path / "sam.pth")
    installed = installing.import_file("sam", weights, sha256_of(weights))
    before = sha256_of(installed)
    desk.use_client(lambda _host: WorkerClient(tiny_sam.TinyLauncher()))
    desk.panel.adapting.adapting._make_program = tiny_sam.TinyTraining
    volume = add_ball("CT 1", (8, 10, 12), ("liver",))
    add_ball("CT 2", (7, 9, 11), ("liver",))
    open_section(desk)
    ui, adapting = desk.ui, desk.panel.adapting.adapting
    ui.deviceSelector.setCurrentIndex(1)
    ui.adaptSteps.value = 2
    assert ui.adaptButton.enabled, ui.adaptHint.text
    ui.adaptButton.click()
    desk.wait(lambda: not adapting.is_busy)
    assert adapting.phase is Phase.DONE, ui.adaptStatus.text
    assert set(adapting.report["before"]) >= {"dice", "agreement"}
    assert adapting.report["held_back"] == ["CT_1"] and "Dice" in ui.adaptScores.text
    desk.panel.parameters.volume = volume
    desk.panel.models.installing.make_trial = lambda options: ProcessTrial(
        tiny_sam.TinyCommand, options
    )
    ui.useAdaptedButton.click()
    desk.wait(lambda: not desk.panel.models.installing.is_busy)
    assert desk.panel.parameters.model.value == desk.panel.logic.model == "crossplane"
    assert "imported" in ui.adaptStatus.text and sha256_of(installed) == before
    desk.draw_box((6, 6, 6), (18, 24, 26))
    desk.wait(lambda: bool(desk.panel.logic.prompts.entries))
    desk.wait()
    assert ui.statusLabel.text.startswith("Done.")
