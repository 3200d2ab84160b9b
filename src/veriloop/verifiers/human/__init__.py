"""People as verifiers: what they are asked, and the store that keeps their verdicts."""
