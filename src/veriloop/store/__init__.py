"""The run folder: everything a run writes to disk, never half-written."""
