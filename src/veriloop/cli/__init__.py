"""The command line: one file a verb. It parses, builds objects and calls the public API, nothing else.

Verbs import what they need when they are called, so that ``veriloop --help`` is quick.
"""
