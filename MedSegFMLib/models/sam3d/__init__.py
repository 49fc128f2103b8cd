"""SAM3D: a 3D decoder on the features of SAM."""
