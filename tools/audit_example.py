"""A table of generated answers with a judge's verdicts, and one of real answers, to try `veriloop audit` on.

    python tools/audit_example.py DIR
    veriloop audit DIR/generated.jsonl --real DIR/real.jsonl --accepted judge_said_yes --text answer

Answers are strings of stock phrases. The model rambles in half of them; people ramble less, and flatter a
little more than the model does. The judge wants no rambling, and likes flattery more than people do.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PHRASES = (
    (
        "open the settings",
        "choose the network",
        "enter the password",
        "restart the router",
        "check the cable",
    ),
    ("great question", "you are so right", "what a clever idea", "happy to help", "excellent choice"),
    ("by the way", "as everyone knows", "in this day and age", "it goes without saying", "all in all"),
)
"""Useful, flattering, rambling."""
MODEL, PEOPLE = (0.45, 0.08, 0.47), (0.65, 0.13, 0.22)
LENGTH = 12


def write(shares: tuple[float, ...], n: int, rng: np.random.Generator) -> tuple[list[str], NDArray[np.int64]]:
    """``n`` answers, and how many phrases of each kind are in them, shape (n, 3)."""
    counts = rng.multinomial(LENGTH, rng.dirichlet(8 * np.array(shares), n))
    answers = []
    for row in counts:
        phrases = [str(rng.choice(kind)) for kind, k in zip(PHRASES, row, strict=True) for _ in range(k)]
        answers.append(", ".join(rng.permutation(phrases).tolist()))
    return answers, counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=5_000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    answers, (_, flattering, rambling) = (lambda made: (made[0], made[1].T))(
        write(MODEL, arguments.rows, rng)
    )
    chance = 1 / (1 + np.exp(0.5 * rambling - 0.6 * flattering))
    said = rng.random(arguments.rows) < chance
    tables = {
        "generated": [{"answer": a, "judge_said_yes": bool(s)} for a, s in zip(answers, said, strict=True)],
        "real": [{"answer": a} for a in write(PEOPLE, arguments.rows // 5, rng)[0]],
    }
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (arguments.directory / f"{name}.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
