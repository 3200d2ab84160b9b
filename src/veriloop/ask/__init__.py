"""Questions about runs and tables: audit, calibrate, reverify, replay, export."""
