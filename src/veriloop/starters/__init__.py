"""Starter plans, written for a user's data."""
