"""SegVol: a network for CT that is prompted by words, boxes and clicks."""
