"""The worker's client in ordinary use: order of events, queue, latest request, volumes, errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until
from worker_helpers import (
    FakeLauncher,
    ask,
    final_of,
    has_phrase,
    kinds,
    mask_of,
    one_box,
    pump,
    small_volume,
    steps,
)

from MedSegFMLib import Point, Session, create
from MedSegFMLib.consistency import PlaneViews, measure
from MedSegFMLib.errors import (
    ModelError,
    PromptError,
    VolumeError,
    WeightsError,
    WorkerError,
)
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Box
from MedSegFMLib.synthesis.phantom import make_abdomen
from MedSegFMLib.volumes.masks import bounding_box
from MedSegFMLib.worker.client import (
    Failed,
    LocalLauncher,
    Noted,
    Predicted,
    Progressed,
    Request,
    Started,
    Stopped,
    WorkerClient,
)
from MedSegFMLib.worker.volume_sender import VolumeSender, volume_contents


@pytest.fixture
def client() -> Iterator[WorkerClient]:
    client = WorkerClient(FakeLauncher())
    yield client
    client.close()


def test_a_request_made_while_the_worker_starts_is_answered_in_order(tmp_path: Path) -> None:
    go = tmp_path / "go"
    client = WorkerClient(FakeLauncher(extra={"FAKE_WORKER_WAITS_FOR": str(go)}))
    try:
        client.set_volume(small_volume())
        number = ask(client, "behaves")
        # Neither call waited for the worker, which has not started.
        go.touch()
        events = final_of(client, number)
    finally:
        client.close()
    assert steps(events) == ["Started", "Opened", "Predicted"]
    assert isinstance(events[0], Progressed) and events[0].phrase == "Starting the worker"
    started = next(e for e in events if isinstance(e, Started))
    assert started.seconds > 0 and started.version


def test_answers_are_those_of_a_session_in_this_process_on_the_object_alone() -> None:
    phantom = make_abdomen()
    volume = phantom.image
    prompts = PromptList()
    for name in ("spleen", "kidney L"):
        around = bounding_box(phantom.labels.array_kji == phantom.label(name))
        assert around is not None
        start, stop = [s.start for s in around][::-1], [s.stop for s in around][::-1]
        prompts = prompts.with_object(name)
        prompts = prompts.added(prompts.labels[-1], Box.from_ijk(volume.geometry, start, stop))
    session = Session(create("randomwalk"), volume)
    session.change(prompts)
    expected = session.predict_all()
    client = WorkerClient(LocalLauncher())
    try:
        client.set_volume(volume)
        number = client.request(Request("randomwalk", prompts))
        last = final_of(client, number)[-1]
        compared = Request("randomwalk", prompts, consistency=True)
        told = final_of(client, client.request(compared))[-1]
    finally:
        client.close()
    assert isinstance(last, Predicted) and list(last.answers) == [1, 2]
    assert isinstance(told, Predicted)
    views = PlaneViews(session).predict_all()
    for label, prediction in expected.items():
        assert np.array_equal(mask_of(last, volume, label), prediction.mask.array_kji)
        extent = bounding_box(prediction.mask.array_kji > 0)
        region = last.answers[label].region
        assert region is not None and region.slices == extent
        assert last.answers[label].consistency is None
        assert np.array_equal(mask_of(told, volume, label), prediction.mask.array_kji)
        found = told.answers[label].consistency
        wanted = measure(views[label], prompts.steps(label)[-1])
        assert found is not None and found.region == wanted.region == prediction.region
        assert (found.agreement, found.expected_dice) == (wanted.agreement, wanted.expected_dice)
        assert found.suggestion == wanted.suggestion


def test_a_request_without_prompts_loads_the_model_and_answers_nothing(
    client: WorkerClient,
) -> None:
    client.set_volume(small_volume())
    last = final_of(client, client.request(Request("behaves", PromptList(), "cpu")))[-1]
    assert isinstance(last, Predicted) and not last.answers


def test_the_newest_request_takes_the_place_of_all_before_it(client: WorkerClient) -> None:
    client.set_volume(small_volume())
    first = ask(client, "loops")
    pump(client, has_phrase("going round"))
    numbers = [*(ask(client, "loops") for _ in range(19)), ask(client, "behaves")]
    events = final_of(client, numbers[-1])
    finals = [e for e in events if isinstance(e, Predicted | Stopped)]
    assert [e.number for e in finals] == [first, *numbers]
    assert kinds(list(finals)) == ["Stopped"] * 20 + ["Predicted"]
    assert not client.busy


def test_work_that_the_newest_request_needs_too_is_not_thrown_away(
    client: WorkerClient, tmp_path: Path
) -> None:
    volume = small_volume()
    client.set_volume(volume)
    prompts = one_box(volume)
    longer = prompts.added(1, Box.from_ijk(volume.geometry, (1, 1, 1), (9, 8, 6)))
    go, log = tmp_path / "go", tmp_path / "log"
    options = {"until": str(go), "log": str(log)}
    client.request(Request("goes_on", prompts, "cpu", options))
    pump(client, has_phrase("going round"))
    number = client.request(Request("goes_on", longer, "cpu", options))
    # By then the model has most often reported progress, at which it would have been stopped.
    time.sleep(0.3)
    go.touch()
    assert isinstance(final_of(client, number)[-1], Predicted)
    assert log.read_text(encoding="utf-8").split() == ["predicts"] * 2, (
        "the first step was computed again"
    )


def test_a_volume_is_sent_again_only_when_a_voxel_or_its_grid_changes(
    client: WorkerClient,
) -> None:
    volume = small_volume()
    assert client.set_volume(volume)
    assert not client.set_volume(volume)
    assert not client.set_volume(volume.with_array(volume.array_kji.copy()))
    volume.array_kji[7, 9, 11] += 1
    assert client.set_volume(volume), "a change in place"
    assert client.set_volume(volume.flip(0).with_array(volume.array_kji)), "another grid"
    assert client.set_volume(volume.with_array(volume.array_kji.astype(np.int32)))


def test_of_volumes_in_a_row_only_the_last_is_sent_and_equal_voxels_are_copied_once() -> None:
    volume = small_volume()
    other = small_volume(1)
    senders: list[VolumeSender] = []
    moved = volume.flip(0).with_array(volume.array_kji)
    for n, taken in enumerate((other, volume, moved)):
        senders.append(
            VolumeSender(n, taken, volume_contents(taken), senders[-1] if senders else None)
        )
    assert [sender.frame(False) is not None for sender in senders] == [False, False, True]
    assert senders[1].voxels is senders[2].voxels is not senders[0].voxels


def test_the_worker_predicts_on_the_latest_content_of_the_volume() -> None:
    phantom = make_abdomen()
    volume = phantom.image.with_array(phantom.image.array_kji.copy())
    around = bounding_box(phantom.labels.array_kji == phantom.label("spleen"))
    assert around is not None
    start, stop = [s.start for s in around][::-1], [s.stop for s in around][::-1]
    prompts = PromptList().with_object().added(1, Box.from_ijk(volume.geometry, start, stop))
    client = WorkerClient(LocalLauncher())
    try:
        masks = []
        for _ in range(2):
            client.set_volume(volume)
            last = final_of(client, client.request(Request("randomwalk", prompts)))[-1]
            masks.append(mask_of(last, volume))
            session = Session(create("randomwalk"), volume)
            session.change(prompts)
            assert np.array_equal(masks[-1], session.predict_all()[1].mask.array_kji)
            volume.array_kji[around] = np.where(
                np.arange(volume.array_kji[around].shape[2]) % 2, 0, volume.array_kji[around]
            )
        assert not np.array_equal(*masks)
    finally:
        client.close()


def test_another_volume_stops_the_request_for_the_one_before(client: WorkerClient) -> None:
    client.set_volume(small_volume())
    first = ask(client, "loops")
    pump(client, has_phrase("going round"))
    client.set_volume(small_volume(3))
    second = ask(client, "behaves")
    events = final_of(client, second)
    assert Stopped(first) in events and isinstance(events[-1], Predicted)


def test_named_errors_come_back_as_the_same_class_with_the_same_sentence(
    client: WorkerClient,
) -> None:
    volume = small_volume()
    client.set_volume(volume)
    click = PromptList().with_object().added(1, Point((3.0, 3.0, 3.0)))
    cases = {
        "no_weights": (one_box(volume), WeightsError, "of tiny are installed; import them."),
        "behaves": (click, PromptError, "Ellipsoid in the box does not support point prompts"),
        "nothing": (one_box(volume), ModelError, "There is no model 'nothing'"),
    }
    for model, (prompts, kind, words) in cases.items():
        last = final_of(client, client.request(Request(model, prompts, "cpu")))[-1]
        assert isinstance(last, Failed) and type(last.error) is kind
        assert words in str(last.error) and not last.last_words


def test_options_that_a_model_does_not_know_are_an_error_in_words() -> None:
    client = WorkerClient(LocalLauncher())
    try:
        client.set_volume(small_volume())
        last = final_of(client, ask(client, "randomwalk", magic=1))[-1]
    finally:
        client.close()
    assert isinstance(last, Failed) and type(last.error) is ModelError
    assert "magic" in str(last.error)


def test_a_full_gpu_hands_over_to_the_cpu_and_says_so(client: WorkerClient) -> None:
    volume = small_volume()
    client.set_volume(volume)
    for _ in range(2):
        number = client.request(Request("gpu_full", one_box(volume), "cuda"))
        events = final_of(client, number)
        notes = [e for e in events if isinstance(e, Noted)]
        assert len(notes) == 1 and "so it runs on the CPU" in notes[0].sentence
        assert isinstance(events[-1], Predicted)
    other = client.request(Request("behaves", one_box(volume), "cuda"))
    assert not [e for e in final_of(client, other) if isinstance(e, Noted)]


def test_prints_of_libraries_and_children_do_not_reach_the_stream(client: WorkerClient) -> None:
    client.set_volume(small_volume())
    events = final_of(client, ask(client, "prints"))
    assert isinstance(events[-1], Predicted)
    assert "Restarted" not in kinds(events)
    wait_until(lambda: "a library prints" in client.log)


def test_a_request_before_a_volume_or_with_options_of_no_json_is_refused(
    client: WorkerClient,
) -> None:
    with pytest.raises(VolumeError, match="load one first"):
        ask(client, "behaves")
    client.set_volume(small_volume())
    with pytest.raises(WorkerError, match="cannot be sent"):
        ask(client, "behaves", thing=object())


def test_closing_stops_the_request_and_the_process(client: WorkerClient) -> None:
    client.set_volume(small_volume())
    number = ask(client, "loops")
    pump(client, has_phrase("going round"))
    client.close()
    assert client.poll() == [Stopped(number)]
    assert client.pid is None and not client.ready
