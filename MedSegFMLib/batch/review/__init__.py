"""The review of a batch by a person: its queue, its decisions, and the results they leave."""
