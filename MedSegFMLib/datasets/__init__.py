"""Labelled cases on disk, and the files of the CVPR 2025 challenge."""
