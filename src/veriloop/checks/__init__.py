"""Checks that are ready for use: mathematics, JSON, tests of code, patterns, commands."""
