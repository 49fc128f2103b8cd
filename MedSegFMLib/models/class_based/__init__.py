"""Models that score a fixed list of classes for a whole volume."""
