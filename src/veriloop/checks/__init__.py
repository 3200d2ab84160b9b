"""Built-in checks: mathematics, JSON, tests of code, patterns, commands."""
