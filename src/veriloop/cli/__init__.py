"""The command line: one file per command, which parses arguments and calls the public API, nothing else.

Commands import what they need when called, so that ``veriloop --help`` is fast.
"""
