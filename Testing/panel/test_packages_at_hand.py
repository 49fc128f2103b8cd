"""Packages in a Slicer that goes on while pip runs, and how often they are looked at."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from host.panel_driver import Desk

from MedSegFMLib import registry
from MedSegFMLib.weights import store


@pytest.mark.parametrize("second", ["click", "action"])
def test_a_second_click_while_pip_runs_starts_no_second_pip(
    bare: Any, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    import slicer.packaging

    calls: list[str] = []

    def ensure(*_: Any, **__: Any) -> None:
        calls.append("begin")
        if len(calls) < 5:
            # Slicer shows pip's lines and handles what the user does meanwhile.
            slicer.app.processEvents()
            if second == "click":
                assert not desk.ui.installButton.enabled
                desk.ui.installButton.click()
            else:
                desk.panel.attempt(desk.panel.installation.install, desk.panel.models.card)
        calls.append("end")

    monkeypatch.setattr(slicer.packaging, "pip_check", lambda *_: "end" in calls)
    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    desk = Desk(bare)
    desk.ui.installButton.click()
    assert calls == ["begin", "end"]
    assert desk.ui.installButton.enabled and desk.ui.setupFrame.isHidden()
    if second == "action":
        assert "being installed" in desk.ui.logView.toPlainText()
    desk.close()


def test_torchvision_that_lacks_beside_torch_comes_through_the_pytorch_extension(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    missing = {"torchvision"}

    class Logic:
        def installTorch(self, **_: Any) -> object:  # noqa: N802
            calls.append("torch")
            missing.clear()
            return object()

    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=Logic))
    module = sys.modules[registry.MODELS["ensam"]]
    needy = replace(registry.card("ensam"), packages=("torch", "torchvision"), title="Needs both")
    monkeypatch.setattr(module, "CARD", needy)
    find_spec = registry.find_spec
    monkeypatch.setattr(
        registry, "find_spec", lambda name: None if name in missing else find_spec(name)
    )
    desk = Desk(bare)
    assert "torchvision" in desk.ui.setupLabel.text and not desk.ui.installButton.isHidden()
    desk.ui.installButton.click()
    assert calls == ["torch"]
    assert "torchvision" not in desk.ui.setupLabel.text
    desk.close()


def test_another_region_size_looks_at_neither_packages_nor_weights(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer.packaging

    looks: list[str] = []
    check, installed = slicer.packaging.pip_check, store.installed

    def counted_check(*words: Any) -> bool:
        looks.append("packages")
        return bool(check(*words))

    def counted_weights() -> Any:
        looks.append("weights")
        return installed()

    monkeypatch.setattr(slicer.packaging, "pip_check", counted_check)
    monkeypatch.setattr(store, "installed", counted_weights)
    desk = Desk(bare)
    assert {"packages", "weights"} <= set(looks)
    desk.load()
    state = desk.ui.modelState.text
    looks.clear()
    desk.box_the_ball()
    assert desk.ui.modelState.text != state, "the memory is estimated for the new region"
    assert looks == []
    desk.panel.models.look_again()
    desk.panel.refresh()
    assert {"packages", "weights"} <= set(looks)
    desk.close()
