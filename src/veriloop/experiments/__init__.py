"""The experiments: one file per figure or table."""
