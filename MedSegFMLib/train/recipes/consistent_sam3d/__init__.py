"""The recipe for SAM3D's decoder, consistent between slices along the three axes of a volume."""
