"""The effect "MedSegFM" of the Segment Editor."""
