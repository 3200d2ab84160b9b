"""Functions of the user's own, called on rows in other processes."""
