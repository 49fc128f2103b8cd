"""Model families, a folder each; each model implements `Segmenter` and has a card and `create`."""
