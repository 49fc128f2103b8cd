"""Reading of DICOM: headers of every file and frame, stacks of them, a proven grid, exact values.

`reader` reads a volume and `series` lists what a folder contains. The others, in the order of their
use, are `files`, `header` with `damage`, `images`, `stacks`, `grid`, `values` with `stored_pixels`,
`pixel_format` and `codecs`, and `suv`.
"""
