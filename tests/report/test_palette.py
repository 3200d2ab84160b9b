from itertools import combinations

from veriloop.report.palette import OTHER_ARMS, STAGES, USUAL_ARMS, arm_styles

LIGHT, DARK = "#ffffff", "#1b1e23"


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_arm_can_be_seen_on_the_light_and_the_dark_page() -> None:
    for style in (*USUAL_ARMS.values(), *OTHER_ARMS):
        assert contrast(style.colour, LIGHT) >= 3
        assert contrast(style.colour, DARK) >= 3


def test_arms_can_be_told_apart_without_colour() -> None:
    styles = [*USUAL_ARMS.values(), *OTHER_ARMS]
    assert all(a[1:] != b[1:] for a, b in combinations(styles, 2))


def test_a_usual_arm_looks_the_same_in_any_company() -> None:
    styles = arm_styles(["strict", "unverified", "verified", "lenient"])
    assert styles["verified"] == arm_styles(["verified"])["verified"]
    assert len({s.colour for s in styles.values()}) == 4
    assert not {s.colour for s in styles.values()} & set(STAGES.values())


def test_many_arms_come_round_again() -> None:
    assert len(arm_styles(f"arm{i}" for i in range(20))) == 20
