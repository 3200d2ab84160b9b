"""The rules of a round: acceptance, data policy, schedule."""
