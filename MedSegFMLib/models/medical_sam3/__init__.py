"""Medical SAM3: segmentation from text and boxes, and tracking from slice to slice."""
