"""SAM-Med3D: the package's network behind our interface."""
