"""The check of examples/own-function.yaml: is the sum right?"""

import re


def is_right(row: dict) -> bool | tuple[bool, str]:
    """Whether the first number in the answer is the sum of those in the question."""
    said = re.search(r"\d+", row["answer"])
    if said is None:
        return False, "no number"
    return int(said[0]) == sum(map(int, re.findall(r"\d+", row["question"])))
