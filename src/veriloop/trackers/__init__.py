"""Trackers: dashboards of others that show a run's rounds. Our own files remain the record."""
