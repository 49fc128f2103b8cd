"""Sentences that the panel in Slicer and the page in a browser share, made from the state."""
