"""Runs that differ in one thing, side by side: seeds, variations, paired differences, tables, figures."""
