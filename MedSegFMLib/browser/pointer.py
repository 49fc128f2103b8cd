"""Mouse and touch events of a page as events of VTK, which Slicer's own tools in the views take."""

from __future__ import annotations

from typing import Any

from .fields import Message, choice, flag, number, whole
from .view_image import ViewImage

_KINDS = ("down", "move", "up", "wheel", "leave")
_BUTTONS = ("Left", "Middle", "Right")


def send(image: ViewImage, message: Message) -> None:
    """Send an event to a view.

    Args:
        image: The view.
        message: `kind`; `x` and `y` from 0 to 1 from the left and the top; `button` 0 to 2 of
            down and up; `shift` and `control`; `up` of a wheel.

    Raises:
        PageError: If the message is no such event.
    """
    kind = choice(message, "kind", _KINDS)
    width, height = image.size
    x = round(number(message, "x", -10, 10) * (width - 1))
    y = round((1 - number(message, "y", -10, 10)) * (height - 1))
    interactor = image.view.interactor()
    held = int(flag(message, "control")), int(flag(message, "shift"))
    interactor.SetEventInformation(x, y, *held, "\0", 0, "")
    _invoke(interactor, kind, message)


def _invoke(interactor: Any, kind: str, message: Message) -> None:
    if kind == "move":
        interactor.MouseMoveEvent()
    elif kind == "leave":
        interactor.LeaveEvent()
    elif kind == "wheel":
        if flag(message, "up"):
            interactor.MouseWheelForwardEvent()
        else:
            interactor.MouseWheelBackwardEvent()
    else:
        button = _BUTTONS[whole(message, "button", 0, 2)]
        # Handles are found by the move before the press, which a finger does not make.
        interactor.MouseMoveEvent()
        way = "Press" if kind == "down" else "Release"
        getattr(interactor, f"{button}Button{way}Event")()
