"""Figures of volumes, masks and consistency, drawn with matplotlib."""
