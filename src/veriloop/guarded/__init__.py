"""Processes that end with us, whatever becomes of us."""
