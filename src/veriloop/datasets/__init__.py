"""Real data: where they come from, and how they are split by role."""
