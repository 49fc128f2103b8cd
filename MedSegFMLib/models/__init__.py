"""A folder for each model family; each model meets `Segmenter`, with its card and `create`."""
