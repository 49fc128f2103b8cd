"""The record of each call: command, machines, weights and fingerprints of cases."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
from evaluate_reports import EIGHT, MACHINE, html_of, written
from evaluate_rows import cases_of, rows_of

from MedSegFMLib.errors import CasesError
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.report.write_outputs import write_outputs
from MedSegFMLib.evaluate.results.protocol_record import write_protocol
from MedSegFMLib.evaluate.results.run_log import RunRecord, add_run, now, read_runs
from MedSegFMLib.evaluate.results.weights_used import weights_used
from MedSegFMLib.tasks import environment
from MedSegFMLib.weights import store
from MedSegFMLib.weights.checksums import sha256_of


def test_each_call_is_recorded_with_its_command_and_machine(tmp_path: Path) -> None:
    first = RunRecord("medsegfm evaluate a", [0, 1], now(), 4, 1)
    assert first.machines[0]["versions"]["numpy"] == np.__version__
    add_run(tmp_path, first)
    runs = add_run(tmp_path, RunRecord("medsegfm evaluate b", [2], now(), 0, 0, [MACHINE]))
    assert runs == read_runs(tmp_path) and [run.command[-1] for run in runs] == ["a", "b"]
    (tmp_path / "runs.json").write_text("[1]")
    with pytest.raises(CasesError, match=r"runs.json is damaged .*; remove it"):
        read_runs(tmp_path)


def test_the_weights_of_each_model_are_told_by_their_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    own = f"ensam={tmp_path / 'w.safetensors'}"
    used = weights_used(["randomwalk", "ensam", own, "crossplane"])
    assert used[own] == hashlib.sha256(b"weights").hexdigest()
    assert used["ensam"] == sha256_of(Path(store.__file__).with_name("ensam.safetensors"))
    assert "randomwalk" not in used and used["crossplane"] == "unknown"
    rows = rows_of(EIGHT)
    record = RunRecord("one", [0], now(), 3, 0, [MACHINE], used)
    write_outputs(rows, [], cases_of(rows), Protocol(), [record], tmp_path)
    assert used["ensam"] in html_of(tmp_path)


def test_machines_that_computed_nothing_are_not_named(tmp_path: Path) -> None:
    rows = rows_of(EIGHT)
    computed = RunRecord("one", [0], now(), 3, 0, [MACHINE, {**MACHINE, "cpu": "Second"}])
    showed = RunRecord("two", [0], now(), 0, 0, [{**MACHINE, "cpu": "Third"}])
    write_outputs(rows, [], cases_of(rows), Protocol(), [computed, showed], tmp_path)
    html = html_of(tmp_path)
    assert "Some processor" in html and "Second" in html and "Third" not in html
    assert "Machine 2 of 2" in html


def test_the_fingerprint_of_each_case_is_shown(tmp_path: Path) -> None:
    write_protocol(tmp_path, Protocol(), {"case 3": "0123456789abcdef"})
    written(tmp_path, rows_of(EIGHT))
    assert "<code>0123456789abcdef</code>" in html_of(tmp_path)


def test_a_machine_tells_what_it_is_and_not_its_name() -> None:
    facts = environment.machine()
    assert facts["versions"]["Python"].startswith("3.") and facts["cores"] >= 1 and facts["cpu"]
    assert json.loads(json.dumps(facts)) == facts
    assert platform.node() not in json.dumps(facts)


def test_a_machine_without_the_usual_sources_still_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_CPU_INFO", tmp_path / "none")
    monkeypatch.delattr("os.sysconf")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    facts = environment.machine()
    assert facts["memory_gb"] == 0 and facts["gpus"] == [] and isinstance(facts["cpu"], str)


def test_the_drivers_program_names_the_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Some GPU, 81559 MiB, 550.1'\necho\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert environment.machine()["gpus"] == ["Some GPU, 81559 MiB, 550.1"]
    program.write_bytes(b"#!/bin/sh\nprintf 'Ger\\344t\\n'\n")
    assert len(environment.machine()["gpus"]) == 1
    program.write_text("#!/bin/sh\nexit 9\n")
    assert environment.machine()["gpus"] == []
