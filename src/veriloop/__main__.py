"""``python -m veriloop`` is the command ``veriloop``."""

from .cli.main import main

if __name__ == "__main__":
    main()
