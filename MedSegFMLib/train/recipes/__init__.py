"""The recipes, one folder each: settings, data, loss and task."""
