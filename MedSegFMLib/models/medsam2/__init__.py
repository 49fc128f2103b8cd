"""MedSAM2, and SAM 2.1 in its layouts: an object followed through slices as through a video."""
