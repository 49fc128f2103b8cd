"""MedSegFM: interactive 3D medical image segmentation with foundation models."""
