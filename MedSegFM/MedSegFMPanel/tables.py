"""What both lists of the panel share: they are as high as their rows, up to a limit."""

ROW_PIXELS = 22
_HEADER_PIXELS = 20
_FRAME_PIXELS = 2


def fit_height(table, most_rows):
    """Make a table as high as its rows, so that none is cut; with more than the most it scrolls."""
    rows = max(1, min(table.rowCount, most_rows))
    table.horizontalHeader().setFixedHeight(_HEADER_PIXELS)
    table.setFixedHeight(_HEADER_PIXELS + rows * ROW_PIXELS + _FRAME_PIXELS)
