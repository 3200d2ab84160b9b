"""Run the ``veriloop`` command with ``python -m veriloop``."""

from .cli.main import main

if __name__ == "__main__":
    main()
