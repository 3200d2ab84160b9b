"""People as verifiers: the questions shown to them, and the store of their verdicts."""
