"""User functions, called on rows in other processes."""
