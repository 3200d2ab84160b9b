"""Pebbles of a river and of a beach: a plug-in as somebody else would write it."""
