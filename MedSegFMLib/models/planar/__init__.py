"""Slice-by-slice segmentation of volumes in the three patient planes."""
