"""Freehand strokes: the mouse is dragged over a slice view, and the line follows it."""

import slicer

# Before the views' own, which would shift the window and level meanwhile.
_PRIORITY = 10.0
_CLOSEST_PIXELS = 3


class Freehand:
    """Draws one stroke at a time into a curve node.

    Args:
        views: Gives the interactor and the slice node of each slice view.
        remove: Called with the node of a stroke that is not wanted any more.

    Attributes:
        is_on: Whether the next drag is a stroke.
    """

    def __init__(self, views, remove):
        self._views, self._remove = views, remove
        self._observed = []
        self._begin = self._done = None
        self._view = self._node = self._last = None
        self.is_on = False

    def start(self, begin, done):
        """Have the next drag be a stroke; returns whether there is a slice view to draw in.

        Args:
            begin: Makes the curve node to draw into.
            done: Called with it when the button is released.
        """
        self.stop()
        self._begin, self._done = begin, done
        for interactor, slice_node in self._views():
            for event, action in (
                ("LeftButtonPressEvent", self._press),
                ("MouseMoveEvent", self._move),
                ("LeftButtonReleaseEvent", self._release),
            ):
                self._observe(interactor, slice_node, event, action)
        self.is_on = bool(self._observed)
        return self.is_on

    def stop(self):
        """Draw no more; a stroke that was begun is dropped."""
        for interactor, tag in self._observed:
            interactor.RemoveObserver(tag)
        self._observed = []
        if self._node is not None:
            self._remove(self._node)
        self._view = self._node = self._last = None
        self.is_on = False

    def _observe(self, interactor, slice_node, event, action):
        def call(*_):
            # The end of a stroke removes the observer.
            command = interactor.GetCommand(tag)
            if action(interactor, slice_node):
                # The view does not see what belongs to the stroke.
                command.SetAbortFlag(1)

        tag = interactor.AddObserver(event, call, _PRIORITY)
        self._observed.append((interactor, tag))

    def _press(self, interactor, slice_node):
        self._node = self._begin()
        self._node.SetCurveTypeToLinear()
        self._view = interactor
        self._add(interactor, slice_node)
        return True

    def _move(self, interactor, slice_node):
        if self._view is not interactor:
            return False
        x, y = interactor.GetEventPosition()
        if max(abs(x - self._last[0]), abs(y - self._last[1])) >= _CLOSEST_PIXELS:
            self._add(interactor, slice_node)
        return True

    def _release(self, interactor, _slice_node):
        if self._view is not interactor:
            return False
        node, self._node = self._node, None
        self.stop()
        self._done(node)
        return True

    def _add(self, interactor, slice_node):
        self._last = interactor.GetEventPosition()
        place = slice_node.GetXYToRAS().MultiplyPoint((*self._last, 0, 1))
        self._node.AddControlPointWorld(*place[:3])


def slice_views():
    """The interactor and the slice node of each slice view of the layout."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return []
    widgets = [manager.sliceWidget(name) for name in manager.sliceViewNames()]
    return [(w.sliceView().interactor(), w.mrmlSliceNode()) for w in widgets]
