"""Carries out recipes: folders of plans, outside the package or beside it, for a figure or a table."""
