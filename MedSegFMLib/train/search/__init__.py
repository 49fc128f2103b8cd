"""A search over one setting of a recipe: its trainings, table and plot."""
