"""Child processes that always end when this process ends."""
