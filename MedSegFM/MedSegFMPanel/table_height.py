"""The height of the tables of the panel: as many rows as they have, up to a limit."""

ROW_PIXELS = 22
_HEADER_PIXELS = 20
_FRAME_PIXELS = 2
_BAR_PIXELS = 16


def fit_height(table, most_rows, is_wide=False, row_pixels=ROW_PIXELS):
    """Make a table as high as its rows; with more rows than the limit it scrolls.

    Args:
        table: The table.
        most_rows: The limit.
        is_wide: Whether a horizontal scroll bar is below the rows.
        row_pixels: The height of each row.
    """
    rows = max(1, min(table.rowCount, most_rows))
    table.horizontalHeader().setFixedHeight(_HEADER_PIXELS)
    below = _FRAME_PIXELS + (_BAR_PIXELS if is_wide else 0)
    table.setFixedHeight(_HEADER_PIXELS + rows * row_pixels + below)
