"""Sphinx roles of docstrings (``:meth:`fit` ``) as the plain code that Markdown knows."""

import re

import griffe


class Roles(griffe.Extension):
    """Rewrites the docstrings while they are read."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Take the roles off the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", obj.docstring.value)
