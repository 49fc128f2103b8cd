"""The workflows that run on GitHub: what they may do, and that what they run exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
PINNED = re.compile(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+(\.\d+)*")


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """Each workflow's file."""
    return request.param


@pytest.fixture
def workflow(path: Path) -> dict[str, Any]:
    """Each workflow."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it(
    path: Path, workflow: dict[str, Any]
) -> None:
    # The comment is lost when YAML is parsed, and a `uses` in another spelling when it is not.
    lines = re.findall(r"uses:\s*(.*)", path.read_text(encoding="utf-8"))
    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used == [line.partition(" ")[0] for line in lines]
    assert all("uses" not in job for job in workflow["jobs"].values())


def test_one_action_has_one_version() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    versions = set(re.findall(r"uses:\s*(.*)", text))
    assert len(versions) == len({version.partition("@")[0] for version in versions})


def test_a_workflow_may_only_read_unless_a_job_asks_for_more(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}


def test_nothing_that_runs_on_pull_requests_can_write(workflow: dict[str, Any]) -> None:
    # YAML 1.1 reads the key `on` as true.
    triggers = workflow[True]
    assert "pull_request_target" not in triggers
    if "pull_request" in triggers:
        assert all("permissions" not in job for job in workflow["jobs"].values())


def test_a_checkout_keeps_no_token(workflow: dict[str, Any]) -> None:
    checkouts = [step for step in steps(workflow) if "actions/checkout" in step.get("uses", "")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_job_has_a_time_limit(workflow: dict[str, Any]) -> None:
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_no_command_holds_an_expression(workflow: dict[str, Any]) -> None:
    # GitHub pastes an expression's value into the script; the environment passes it as data.
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_every_file_that_a_command_names_is_there(workflow: dict[str, Any]) -> None:
    commands = "\n".join(step.get("run", "") for step in steps(workflow))
    named = set(re.findall(r"\b(?:Testing|MedSegFM|tools)/[\w./-]+", commands))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    targets = set(re.findall(r"\bmake (\w+)", commands))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()
