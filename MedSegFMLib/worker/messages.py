"""Conversion of requests and events to frames, and back. Damaged messages raise WorkerError."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from .. import errors
from ..errors import MedSegFMError, WorkerError
from ..prompts.json_format import prompts_from_json, prompts_to_json
from ..prompts.types import PROMPT_NAMES
from .answer_frame import from_parts, to_parts
from .events import (
    Cost,
    Event,
    Failed,
    Noted,
    Opened,
    Predicted,
    Progressed,
    Request,
    Started,
    Stopped,
)
from .frames import MOST_ARRAY_BYTES, Frame, finite_number, to_json
from .volume_frame import MOST_IMAGES

# Increased by one with each incompatible change.
PROTOCOL = 10

# A sentence or a name of a worker is cut after so many characters.
_MOST_CHARACTERS = 1 << 16

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Job:
    """A request as the worker receives it.

    Attributes:
        number: the request.
        volume_number: the volume that it is for.
        request: the request.
    """

    number: int
    volume_number: int
    request: Request


def message_number(frame: Frame) -> int:
    """The number of the volume or request of a message."""
    return _parse(frame, lambda data: int(data["number"]))


def check_options(request: Request) -> None:
    """Check that JSON can represent the options of a request.

    Raises:
        WorkerError: it cannot.
    """
    if not request.options:
        return
    try:
        to_json(dict(request.options))
    except (TypeError, ValueError, RecursionError) as error:
        raise WorkerError(
            f"The options {', '.join(request.options)} cannot be sent to a worker ({error}); "
            "give numbers, strings and paths."
        ) from error


def request_frame(job: Job) -> Frame:
    """A frame with a request."""
    request = job.request
    data = {
        "number": job.number,
        "volume": job.volume_number,
        "model": request.model,
        "prompts": prompts_to_json(request.prompts),
        "device": request.device,
        "options": dict(request.options),
        "consistency": request.consistency,
        "clear_cache": request.clear_cache,
        "asks": request.asks,
    }
    return Frame("request", data)


def parse_request(frame: Frame) -> Job:
    """The inverse of `request_frame`."""

    def parse(data: Mapping[str, Any]) -> Job:
        request = Request(
            str(data["model"]),
            prompts_from_json(data["prompts"]),
            str(data["device"]),
            dict(data["options"]),
            bool(data["consistency"]),
            bool(data["clear_cache"]),
            bool(data["asks"]),
        )
        return Job(int(data["number"]), int(data["volume"]), request)

    return _parse(frame, parse)


def event_frame(event: Event) -> Frame:
    """A frame with an event of the worker."""
    match event:
        case Started(_, version):
            return Frame("started", {"version": version, "protocol": PROTOCOL})
        case Opened():
            return Frame("opened", asdict(event))
        case Progressed(number, fraction, phrase):
            return Frame("progress", {"number": number, "fraction": fraction, "phrase": phrase})
        case Noted(number, sentence):
            return Frame("noted", {"number": number, "sentence": sentence})
        case Stopped(number):
            return Frame("stopped", {"number": number})
        case Failed(number, error):
            name = type(error).__name__
            return Frame("failed", {"number": number, "class": name, "sentence": str(error)})
        case Predicted(number, answers, cost):
            data, arrays = to_parts(answers)
            data |= {"number": number, "cost": None if cost is None else asdict(cost)}
            return Frame("predicted", data, arrays)
    raise WorkerError(f"A worker does not send {event!r}.")


def parse_event(frame: Frame, seconds: float, most_voxels: int = MOST_ARRAY_BYTES) -> Event:
    """The inverse of `event_frame`.

    Args:
        frame: the frame.
        seconds: the time since the start or the request.
        most_voxels: the number of voxels of the volume; a larger mask is damaged.

    Raises:
        WorkerError: the event is damaged, or the worker has another protocol version.
    """

    def parse(data: Mapping[str, Any]) -> Event:
        if frame.kind == "started":
            if data["protocol"] != PROTOCOL:
                raise WorkerError(
                    f"The worker is of MedSegFM {_text(data['version'])[:40]} with protocol "
                    f"{_text(data['protocol'])[:40]}, which is not {PROTOCOL}; install the same "
                    "version of medsegfm at both ends."
                )
            return Started(seconds, _text(data["version"]))
        number = int(data["number"])
        match frame.kind:
            case "opened":
                prompts, classes = (
                    tuple(map(_text, data[name])) for name in ("prompts", "classes")
                )
                if not set(prompts) <= set(PROMPT_NAMES.values()):
                    raise ValueError(f"prompts of the types {prompts}")
                return Opened(
                    number, _text(data["model"]), prompts, classes, _channels(data["channels"])
                )
            case "progress":
                fraction = min(max(finite_number(data["fraction"]), 0.0), 1.0)
                return Progressed(number, fraction, _text(data["phrase"]), seconds)
            case "noted":
                return Noted(number, _text(data["sentence"]))
            case "stopped":
                return Stopped(number)
            case "failed":
                return Failed(number, _error(data["class"], _text(data["sentence"])))
            case "predicted":
                answers, cost = from_parts(data, frame.arrays, most_voxels), data["cost"]
                return Predicted(number, answers, None if cost is None else _cost(**cost))
        raise WorkerError(
            f"The worker sends '{frame.kind}', which this version does not support; install the "
            "same version of medsegfm at both ends."
        )

    return _parse(frame, parse)


def _channels(value: Any) -> tuple[str, ...] | int:
    if isinstance(value, list):
        return tuple(map(_text, value))
    if type(value) is not int or not 1 <= value <= MOST_IMAGES:
        raise ValueError("a number of images")
    return value


def _text(value: Any) -> str:
    """Text that can be shown and written: lone surrogates, which JSON allows, are replaced."""
    if not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} in place of text")
    return str(value)[:_MOST_CHARACTERS].encode("utf-8", "replace").decode()


def _cost(seconds: Any, loading_seconds: Any, peak_bytes: Any, on_gpu: Any) -> Cost:
    return Cost(
        finite_number(seconds), finite_number(loading_seconds), int(peak_bytes), bool(on_gpu)
    )


def _error(name: str, sentence: str) -> MedSegFMError:
    error_class = getattr(errors, name, None)
    if isinstance(error_class, type) and issubclass(error_class, MedSegFMError):
        return error_class(sentence)
    return WorkerError(sentence)


def _parse(frame: Frame, parse: Callable[[Mapping[str, Any]], Parsed]) -> Parsed:
    damage = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
    try:
        return parse(frame.data)
    except WorkerError:
        raise
    except (MedSegFMError, *damage) as error:
        reason = repr(error)[:200].encode("utf-8", "replace").decode()
        raise WorkerError(f"A message '{frame.kind}' is damaged ({reason}).") from error
