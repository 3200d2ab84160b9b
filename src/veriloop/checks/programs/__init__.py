"""Programs that run in the workers of the built-in checks, and their child processes."""
