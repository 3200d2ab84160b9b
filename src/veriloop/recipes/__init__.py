"""Carry out recipes: folders of plans that make a figure or a table."""
