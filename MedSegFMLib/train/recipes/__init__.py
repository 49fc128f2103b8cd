"""The recipes, a folder each: settings, data, loss and task."""
