"""Styles of arms: the same colour, dash and marker for the same arm everywhere."""

from collections.abc import Iterable
from typing import NamedTuple


class ArmStyle(NamedTuple):
    """The style of an arm.

    Attributes:
        colour: Colour with a contrast of at least 3 on light and dark pages.
        dash: Dash of its line, in Plotly's terms; distinguishes arms without colour.
        symbol: Marker symbol, in Plotly's terms.
    """

    colour: str
    dash: str
    symbol: str

    @property
    def dash_array(self) -> str:
        """The dash for SVG, scaled for a legend."""
        return _DASH_ARRAYS[self.dash]


_DASH_ARRAYS = {
    "solid": "none",
    "dash": "6 4",
    "dot": "2 3",
    "dashdot": "6 3 2 3",
    "longdash": "9 4",
    "longdashdot": "9 3 2 3",
}

# Close to Okabe and Ito's colour-blind-safe palette (https://jfly.uni-koeln.de/color/), with light colours
# darkened until they are visible on white. The bound is grey, because it is only a reference.
USUAL_ARMS = {
    "verified": ArmStyle("#2f80c8", "solid", "circle"),
    "unverified": ArmStyle("#d55e00", "solid", "diamond"),
    "all_real": ArmStyle("#7d828a", "dash", "square"),
}
OTHER_ARMS = (
    ArmStyle("#009e73", "dashdot", "triangle-up"),
    ArmStyle("#b5609a", "dot", "cross"),
    ArmStyle("#a98100", "longdash", "x"),
    ArmStyle("#1fa0b0", "longdashdot", "triangle-down"),
)
STAGES = {
    "update": "#6a4c93",
    "generate": "#3f7cac",
    "verify": "#4aa88f",
    "fit": "#c9a227",
    "evaluate": "#8d99ae",
}
"""Colours of the stages of a round; none of them is used for an arm."""


def arm_styles(arms: Iterable[str]) -> dict[str, ArmStyle]:
    """Return a style for each arm: fixed for the usual ones, by order of appearance for others."""
    styles: dict[str, ArmStyle] = {}
    others = 0
    for arm in dict.fromkeys(arms):
        if arm in USUAL_ARMS:
            styles[arm] = USUAL_ARMS[arm]
        else:
            styles[arm] = OTHER_ARMS[others % len(OTHER_ARMS)]
            others += 1
    return styles
