"""SegVol's network, put together from MONAI, segment_anything and transformers."""
