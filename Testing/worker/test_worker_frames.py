"""Frames, messages and shared memory on their own."""

from __future__ import annotations

import io
import json
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from consistency_fakes import noisy_answer
from worker_helpers import one_box, small_volume

from MedSegFMLib import Geometry, Mask
from MedSegFMLib.consistency import measure
from MedSegFMLib.consistency.lower_bound import LowerBound
from MedSegFMLib.errors import PromptError, WeightsError, WorkerError
from MedSegFMLib.prompts.places import Place, PlaceQuestion
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.volumes.images import combined
from MedSegFMLib.worker import mask_sizes
from MedSegFMLib.worker.array_digest import array_digest
from MedSegFMLib.worker.events import (
    Answer,
    Cost,
    Failed,
    Noted,
    Predicted,
    Progressed,
    Request,
    Started,
    Stopped,
)
from MedSegFMLib.worker.frames import (
    MAGIC,
    Frame,
    read_frame,
    skip_greeting,
    write_frame,
)
from MedSegFMLib.worker.mask_sizes import check_masks
from MedSegFMLib.worker.messages import (
    Job,
    event_frame,
    message_number,
    parse_event,
    parse_request,
    request_frame,
)
from MedSegFMLib.worker.packed_mask import pack_mask, unpack_mask
from MedSegFMLib.worker.shared_memory import SharedCopy, open_shared
from MedSegFMLib.worker.volume_frame import parse_volume, volume_frame
from MedSegFMLib.worker.volume_sender import volume_contents

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is shared on Linux")


def as_bytes(*frames: Frame) -> bytes:
    stream = io.BytesIO()
    for frame in frames:
        write_frame(stream, frame)
    return stream.getvalue()


def travelled(frame: Frame) -> Frame:
    back = read_frame(io.BytesIO(as_bytes(frame)))
    assert back is not None
    return back


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">i2", "u4", "i8", "f2", "f4", ">f8"])
def test_arrays_come_back_as_they_were(dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    empty = np.zeros((0, 3, 0), dtype)
    back = travelled(Frame("any", {"a": [1, None, "é"]}, {"x": array, "none": empty}))
    assert back.kind == "any" and back.data == {"a": [1, None, "é"]}
    assert back.arrays["x"].dtype == array.dtype and np.array_equal(back.arrays["x"], array)
    assert back.arrays["none"].shape == (0, 3, 0)
    strided = travelled(Frame("any", {}, {"x": array[:, ::2]}))
    assert np.array_equal(strided.arrays["x"], array[:, ::2])


def test_a_stream_may_end_between_frames_and_nowhere_else() -> None:
    whole = as_bytes(Frame("first"), Frame("second", {}, {"x": np.arange(5)}))
    stream = io.BytesIO(whole)
    kinds = [frame.kind for frame in iter(lambda: read_frame(stream), None)]
    assert kinds == ["first", "second"]
    first = len(as_bytes(Frame("first")))
    for stop in range(1, len(whole)):
        stream = io.BytesIO(whole[:stop])
        if stop >= first:
            read_frame(stream)
        if stop != first:
            with pytest.raises(WorkerError, match="before its end"):
                read_frame(stream)


def test_damaged_frames_are_refused_and_nothing_is_reserved_for_them() -> None:
    def framed(header: object, body: bytes = b"", count: int | None = None) -> bytes:
        text = json.dumps(header).encode()
        length = len(body) if count is None else count
        return struct.pack("<4sIQ", MAGIC, len(text), length) + text + body

    damaged = [
        b"HTTP/1.1 200 OK\r\n",
        struct.pack("<4sIQ", MAGIC, 1 << 31, 0),
        framed({}, count=1 << 50),
        framed([1, 2]),
        framed({"kind": 1, "data": {}, "arrays": []}),
        framed({"kind": "x", "data": {}, "arrays": [["a", "|O", [1]]]}, b"12345678"),
        framed({"kind": "x", "data": {}, "arrays": [["a", "<i2", [-1]]]}, b"12"),
        framed({"kind": "x", "data": {}, "arrays": [["a", "<i2", [1 << 39]]]}, b"12"),
        framed({"kind": "x", "data": {}, "arrays": [["a", "<i2", ["1"]]]}, b"12"),
        framed({"kind": "x", "data": {}, "arrays": ["a"]}),
    ]
    for data in damaged:
        with pytest.raises(WorkerError):
            read_frame(io.BytesIO(data))


def test_objects_cannot_be_sent() -> None:
    with pytest.raises(WorkerError, match="frames do not support"):
        as_bytes(Frame("x", {}, {"a": np.array([object()])}))


def test_what_a_remote_shell_prints_first_is_skipped() -> None:
    greeting, stream = skip_greeting(io.BytesIO(b"Welcome!\n\x89" + as_bytes(Frame("started"))))
    assert greeting == b"Welcome!\n\x89"
    frame = read_frame(stream)
    assert frame is not None and frame.kind == "started"
    with pytest.raises(WorkerError, match="starts a worker of MedSegFM"):
        skip_greeting(io.BytesIO(b"no frame here" * 10_000))


def test_requests_and_events_survive_the_way() -> None:
    job = Job(3, 2, Request("m", one_box(small_volume()), "cuda:1", {"weights": "f"}, True))
    assert parse_request(travelled(request_frame(job))) == job
    voxels = np.arange(60).reshape(3, 4, 5) % 7 == 0
    mask = Mask.from_array(voxels, Geometry.from_spacing((3, 4, 5), (1, 2, 3)))
    prompts = one_box(small_volume()).added(1, mask).added(1, mask.as_role("keep"))
    masked = Job(4, 2, Request("m", prompts))
    assert parse_request(travelled(request_frame(masked))) == masked
    cleared = Job(3, 2, Request("m", one_box(small_volume()), clear_cache=True))
    assert parse_request(travelled(request_frame(cleared))) == cleared
    with_path = Job(3, 2, Request("m", one_box(small_volume()), options={"weights": Path("f")}))
    assert parse_request(travelled(request_frame(with_path))).request.options == {"weights": "f"}
    for event in (Started(2.5, "1.0"), Progressed(1, 0.5, "x", 2.5), Noted(1, "y"), Stopped(4)):
        assert parse_event(travelled(event_frame(event)), 2.5) == event
    failed = parse_event(travelled(event_frame(Failed(1, WeightsError("Gone; import it.")))), 0)
    assert isinstance(failed, Failed)
    assert type(failed.error) is WeightsError and str(failed.error) == "Gone; import it."
    consistency = measure(noisy_answer(Geometry.from_spacing((8, 10, 12))), [])
    bound = LowerBound(None, "no such case")
    answer = Answer((1, 2, 3), np.ones((2, 2, 2), np.uint8), consistency, bound)
    question = PlaceQuestion((Place(2, (1.5, -2.5, 3.25), 4.5, 0.5),), 0.25, 0.75)
    empty = Answer((1, 2, 3), np.zeros((0, 0, 0), np.uint8), question=question)
    cost = Cost(1.5, 0.25, 1 << 40, True)
    back = parse_event(travelled(event_frame(Predicted(1, {1: answer, 7: empty}, cost))), 0)
    assert isinstance(back, Predicted) and back.answers[7].region is None
    assert back.cost == cost
    assert back.answers[7].consistency is None and back.answers[7].lower_bound is None
    assert back.answers[1].lower_bound == bound
    assert back.answers[7].question == question and back.answers[1].question is None
    assert back.answers[1].region == answer.region and back.answers[1].consistency is not None
    assert back.answers[1].consistency.hot_spots == consistency.hot_spots


BITS = pack_mask(np.ones((2, 2, 2), np.uint8))


def predicted(
    arrays: dict[str, np.ndarray], shape: object = (2, 2, 2), cost: object = None, **data: object
) -> Frame:
    """An answer for one object; without changes, a good one."""
    numbers = {"number": 1, "extents_kji": {"1": [[0, 0, 0], shape]}, "consistency": {}}
    numbers |= {"lower_bounds": {}, "seen_kji": {}, "questions": {}}
    return Frame("predicted", {**numbers, "cost": cost, **data}, arrays)


def asked(**place: object) -> dict[str, object]:
    """A question with two places of one number, or with one that is changed."""
    good = {"number": 1, "position_ras": [0.0, 1.0, 2.0], "millilitres": 3.0, "score": 0.5}
    places = [{**good, **place}] if place else [good, good]
    return {"places": places, "agreement": 0.25, "bound": 0.75}


def test_the_answer_that_the_damaged_ones_derive_from_is_good() -> None:
    event = parse_event(travelled(predicted({"1 mask": BITS})), 0)
    assert isinstance(event, Predicted) and event.answers[1].mask_kji.all()


@pytest.mark.parametrize(
    ("packed", "shape"),
    [
        (BITS[:-1], (2, 2, 2)),
        (BITS[:0], (2, 2, 2)),
        (np.append(BITS, BITS), (2, 2, 2)),
        (np.append(BITS, np.uint8(0)), (2, 2, 2)),
        (BITS[::-1], (2, 2, 2)),
        (BITS, (2, 2, 3)),
        (BITS, (2, 2)),
        (BITS, (0, 2, 2)),
        (BITS, (-2, -2, 2)),
        (BITS, (2, 2, 2.5)),
        (BITS, (2, 2, 1 << 60)),
        (pack_mask(np.ones((2, 3, 3), np.uint8)), (2, 2, 2)),
        (pack_mask(np.ones((100, 100, 100), np.uint8)), (100, 100, 100)),
        (BITS.astype(np.int8), (2, 2, 2)),
        (BITS[None], (2, 2, 2)),
        (np.ones((2, 2, 2), np.uint8), (2, 2, 2)),
    ],
)
def test_a_packed_mask_of_another_size_or_damaged_is_a_named_error(
    packed: np.ndarray, shape: object
) -> None:
    with pytest.raises(WorkerError, match="damaged"):
        parse_event(travelled(predicted({"1 mask": packed}, shape)), 0, most_voxels=1000)


@pytest.mark.parametrize("shape", [(0, 0, 0), (1, 1, 1), (3, 5, 7), (8, 8, 8), (1, 9, 1)])
def test_masks_come_back_to_the_voxel(shape: tuple[int, int, int]) -> None:
    for mask in (np.zeros(shape), np.ones(shape), np.random.default_rng(0).random(shape) < 0.5):
        voxels = mask.astype(np.uint8)
        back = unpack_mask(pack_mask(voxels), shape)
        assert back.dtype == np.uint8 and np.array_equal(back, voxels)


def test_the_mask_of_an_organ_takes_a_bit_for_a_voxel_at_the_most() -> None:
    grid = np.indices((200, 200, 200), sparse=True)
    ball = (sum((axis - 99.5) ** 2 for axis in grid) < 99**2).astype(np.uint8)
    answer = Predicted(1, {1: Answer((0, 0, 0), ball)})
    assert len(as_bytes(event_frame(answer))) < ball.size / 50
    noise = np.random.default_rng(0).integers(0, 2, ball.shape, np.uint8)
    answer = Predicted(1, {1: Answer((0, 0, 0), noise)})
    assert len(as_bytes(event_frame(answer))) < noise.size / 7.9


def test_masks_that_no_message_holds_are_refused_before_they_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise = np.random.default_rng(0).random((20, 40, 40)) > 0.5
    mask = Mask.from_array(noise, Geometry.from_spacing(noise.shape))
    request = Request("m", PromptList().with_object().added(1, mask))
    check_masks(request)
    monkeypatch.setattr(mask_sizes, "_MOST_MASK_BYTES", 4000)
    with pytest.raises(PromptError, match="use fewer of them"):
        check_masks(request)


@pytest.mark.parametrize(
    "frame",
    [
        predicted({}),
        predicted({"1 mask": BITS}, cost={"s": 1}),
        predicted({"1 mask": BITS}, consistency={"1": {}}),
        predicted({"1 mask": BITS}, lower_bounds={"1": {"value": 7, "unlike": ""}}),
        predicted({"1 mask": BITS}, lower_bounds={"1": {"value": None, "unlike": 1}}),
        predicted({"1 mask": BITS}, questions={"1": {"places": []}}),
        predicted({"1 mask": BITS}, questions={"1": asked()}),
        predicted({"1 mask": BITS}, questions={"1": asked(position_ras=[0, 0])}),
        predicted({"1 mask": BITS}, questions={"1": asked(score=float("nan"))}),
        Frame("progress", {"number": "x"}),
        Frame("surprise", {"number": 1}),
        Frame("started", {"version": "9", "protocol": 99}),
        Frame("failed", {"number": 1}),
    ],
)
def test_damaged_or_unknown_events_are_named_errors(frame: Frame) -> None:
    with pytest.raises(WorkerError):
        parse_event(frame, 0)


def test_an_error_class_that_is_none_of_ours_is_not_made() -> None:
    frame = Frame("failed", {"number": 1, "class": "numbers_text", "sentence": "What?"})
    failed = parse_event(frame, 0)
    assert isinstance(failed, Failed) and type(failed.error) is WorkerError


def test_any_change_alters_the_fingerprint_and_equal_content_does_not() -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(-1000, 1000, (7, 160, 200)).astype(np.int16)
    before = array_digest(array)
    assert array_digest(array.copy()) == before
    for _ in range(200):
        changed = array.copy()
        changed.flat[rng.integers(array.size)] += 1
        assert array_digest(changed) != before
    for other in (np.flip(array, 0), np.flip(array, 1), np.flip(array, 2), np.roll(array, 1, 2)):
        assert array_digest(np.ascontiguousarray(other)) != before
    assert array_digest(array.view(np.uint16)) != before
    assert array_digest(array.reshape(7, 200, 160)) != before
    assert array_digest(np.zeros((1, 1, 3), np.uint8)) != array_digest(np.ones((1, 1, 3), np.uint8))


def test_all_images_of_a_volume_travel_in_their_order_with_their_types() -> None:
    volume = small_volume()
    second = volume.with_array(volume.array_kji.astype(np.float32) / 3)
    sent = combined({"t2": second, "t1": volume}, "t1")
    frame = travelled(volume_frame(5, sent))
    back = parse_volume(frame)
    assert list(back.images) == ["t2", "t1"] and back.primary == "t1"
    for name, array in sent.images.items():
        assert np.array_equal(back.images[name], array) and back.images[name].dtype == array.dtype
    contents = volume_contents(sent)
    assert contents != volume_contents(volume)
    assert contents != volume_contents(combined({"t2": second, "t1": volume}, "t2"))
    assert contents != volume_contents(combined({"t3": second, "t1": volume}, "t1"))


@pytest.mark.parametrize(
    "damage",
    [
        {"names": ["t1", "t1"]},
        {"names": ["t1"]},
        {"primary": "t3"},
        {"dtypes": ["<i2"] * 3},
        {"shared": [{}]},
    ],
    ids=str,
)
def test_damaged_images_are_refused(damage: dict[str, Any]) -> None:
    volume = small_volume()
    frame = volume_frame(5, combined({"t1": volume, "t2": volume}))
    with pytest.raises(WorkerError):
        parse_volume(Frame("volume", {**frame.data, **damage}, frame.arrays))


@linux
def test_a_shared_copy_is_read_elsewhere_and_gone_with_its_owner() -> None:
    volume = small_volume()
    copy = SharedCopy(volume.array_kji)
    path = Path(str(copy.address["path"]))
    stated = replace(volume, modality="CT")
    frame = travelled(volume_frame(5, stated, [copy.address]))
    back = parse_volume(frame)
    assert back.modality == "CT"
    assert message_number(frame) == 5 and not frame.arrays
    assert np.array_equal(back.array_kji, volume.array_kji)
    assert back.geometry == volume.geometry
    back.array_kji[0, 0, 0] = 99
    again = open_shared(copy.address, "<i2", [8, 10, 12])
    assert again[0, 0, 0] == volume.array_kji[0, 0, 0], "writing stays with the one who writes"
    address = copy.address
    del copy
    assert not path.exists()
    assert back.array_kji[0, 0, 0] == 99, "what is mapped stays"
    with pytest.raises(WorkerError, match="cannot be opened"):
        open_shared(address, "<i2", [8, 10, 12])


@linux
def test_a_shared_copy_of_another_size_is_refused() -> None:
    copy = SharedCopy(np.zeros(10, np.uint8))
    with pytest.raises(WorkerError, match="cannot be opened"):
        open_shared(copy.address, "<i2", [8, 10, 12])


@linux
def test_copies_leave_no_descriptor_open() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(5):
        SharedCopy(np.zeros(10, np.uint8))
    assert count() == before
