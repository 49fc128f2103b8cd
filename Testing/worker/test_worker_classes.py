"""What a worker tells of a model that it has loaded, and how a training is started."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from host.class_model import CLASSES, NAME, ClassLauncher
from worker_helpers import final_of, mask_of, small_volume

from MedSegFMLib.errors import WorkerError
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Text
from MedSegFMLib.worker.client import Failed, Opened, Request, WorkerClient
from MedSegFMLib.worker.frames import Frame
from MedSegFMLib.worker.launchers import TrainingLauncher
from MedSegFMLib.worker.messages import event_frame, parse_event


def texts(*phrases: str) -> PromptList:
    prompts = PromptList()
    for label, phrase in enumerate(phrases, 1):
        prompts = prompts.with_object(phrase).added(label, Text(phrase))
    return prompts


def test_the_classes_are_told_once_where_the_model_is_loaded_and_name_its_answers() -> None:
    volume, client = small_volume(), WorkerClient(ClassLauncher())
    try:
        client.set_volume(volume)
        # A request without prompts loads the model.
        events = final_of(client, client.request(Request(NAME, PromptList())))
        (opened,) = [event for event in events if isinstance(event, Opened)]
        assert (opened.model, opened.classes) == (NAME, tuple(CLASSES))
        assert opened.prompts == ("text",)
        events = final_of(client, client.request(Request(NAME, texts("bright"))))
        assert not any(isinstance(event, Opened) for event in events)
        expected = volume.array_kji > CLASSES["bright"]
        assert (mask_of(events[-1], volume) == expected).all()
        failed = final_of(client, client.request(Request(NAME, texts("liver"))))[-1]
        assert isinstance(failed, Failed) and "bright, very bright" in str(failed.error)
    finally:
        client.close()


def test_prompts_and_classes_go_through_a_frame_as_they_are() -> None:
    for channels in (1, 4, ("T1", "T2")):
        event = Opened(3, "sam3d", ("text", "box"), ("liver", "Milz é"), channels)
        frame = event_frame(event)
        travelled = Frame(frame.kind, json.loads(json.dumps(frame.data)))
        assert parse_event(travelled, 0.0) == event
    with pytest.raises(WorkerError, match="damaged"):
        parse_event(Frame("opened", {"number": 3, "model": "sam3d"}), 0.0)


def test_a_training_is_started_with_its_settings_as_words() -> None:
    launcher = TrainingLauncher("crossplane", {"out": Path("a b"), "steps": 3}, sys.executable)
    command = ["-P", "-m", "MedSegFMLib", "train", "crossplane", "out=a b", "steps=3", "--events"]
    assert launcher.arguments() == [sys.executable, *command]
    assert str(Path(__file__).resolve().parents[2]) in launcher.environment()["PYTHONPATH"]
