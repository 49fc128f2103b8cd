"""VoxTell: objects named in free words, segmented in 3D."""
