"""The verifiers: whatever judges a sample."""
