"""What the lists of the panel share: they are as high as their rows, up to a limit."""

ROW_PIXELS = 22
_HEADER_PIXELS = 20
_FRAME_PIXELS = 2
_BAR_PIXELS = 16


def fit_height(table, most_rows, is_wide=False):
    """Make a table as high as its rows, so that none is cut; with more than the most it scrolls.

    is_wide: whether a bar to scroll it sideways stands below the rows.
    """
    rows = max(1, min(table.rowCount, most_rows))
    table.horizontalHeader().setFixedHeight(_HEADER_PIXELS)
    below = _FRAME_PIXELS + (_BAR_PIXELS if is_wide else 0)
    table.setFixedHeight(_HEADER_PIXELS + rows * ROW_PIXELS + below)
