"""The web app: watch runs, judge samples, explore the theory. Started by ``veriloop serve``."""
