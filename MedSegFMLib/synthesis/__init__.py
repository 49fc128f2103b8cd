"""Random labelled volumes made on the spot."""
