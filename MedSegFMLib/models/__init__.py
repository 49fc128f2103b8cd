"""One file per model: an adapter that meets `Segmenter`, with its card and `create`."""
