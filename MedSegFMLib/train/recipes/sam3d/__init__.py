"""The recipe for the 3D decoder of SAM3D."""
