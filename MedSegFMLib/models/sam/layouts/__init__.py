"""Files of weights as their authors or transformers lay them out."""
