"""The recipe for the cross-plane adapter of SAM."""
