"""A search over one setting of a recipe: a training for each value, their table and plot."""
