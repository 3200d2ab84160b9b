"""The learners: whatever turns samples into a generator."""
