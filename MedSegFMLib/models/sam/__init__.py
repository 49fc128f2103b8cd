"""SAM, MedSAM and the cross-plane adapter: models of 2D slices."""
