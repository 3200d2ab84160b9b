"""Plans to begin with, written for a user's own data."""
