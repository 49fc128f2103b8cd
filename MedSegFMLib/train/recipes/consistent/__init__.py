"""The recipe for a light 3D network that is consistent between turned views of a volume."""
