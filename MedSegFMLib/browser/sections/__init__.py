"""The sections of the page: what each shows, and what its buttons do."""
