"""What the pages take for granted: the reader's own files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def prepare(page: str, folder: Path) -> None:
    """Put the files that a page speaks of into ``folder``."""
    for make in FILES.get(page, ()):
        make(folder)


def _judged(folder: Path) -> None:
    """A table of verdicts, of what is known of them, and of three annotators."""
    rng = np.random.default_rng(0)
    lines = []
    for row in range(60):
        correct = int(row % 2)
        votes = {name: int(rng.random() < (0.8 if correct else 0.2)) for name in ("ann", "bob", "cyd")}
        score = float(correct + rng.normal())
        words = " ".join(rng.choice(["red", "green", "blue"], 3 + row % 5))
        lines.append({"judge": score, "score": score, "correct": correct, "good": correct, **votes})
        lines[-1] |= {"answer": words, "order": ("first", "second")[row % 2]}
    _write(folder / "judged.jsonl", lines)


def _answers(folder: Path) -> None:
    """Answers of a model with a judge's verdicts, and answers of people."""
    rng = np.random.default_rng(0)
    phrases = ["open the settings", "restart the router", "great question", "by the way", "all in all"]

    def answer(chance: list[float]) -> str:
        return ", ".join(rng.choice(phrases, 8, p=chance))

    model, people = [0.25, 0.25, 0.1, 0.2, 0.2], [0.35, 0.35, 0.15, 0.08, 0.07]
    made = [answer(model) for _ in range(800)]
    said = [bool(rng.random() < 1 / (1 + np.exp(1.5 * text.count("way") - 1))) for text in made]
    rows = [{"answer": a, "judge_said_yes": s} for a, s in zip(made, said, strict=True)]
    _write(folder / "generated.jsonl", rows)
    _write(folder / "real.jsonl", [{"answer": answer(people)} for _ in range(200)])


def _other(folder: Path) -> None:
    (folder / "other.yaml").write_text("{kind: discriminator, epochs: 1, hidden: [8]}\n")
    (folder / "once.yaml").write_text("{kind: discriminator, refit: once, epochs: 1, hidden: [8]}\n")


def _photos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(120):
        kind = ("cat", "dog")[number % 2]
        pixels = rng.integers(0, 255, (8, 8), dtype=np.uint8)
        pixels[: 4 if kind == "cat" else 8] //= 4
        (folder / "photos" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "photos" / kind / f"{number}.png")


def _people(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(200):
        rows.append(f"{rng.normal(40, 10):.2f},{rng.normal(3, 1):.2f},{rng.choice(['north', 'south'])}")
    (folder / "people.csv").write_text("\n".join(["age,income,city", *rows]) + "\n")


def _prompts(folder: Path) -> None:
    _write(folder / "prompts.jsonl", [{"question": f"What is {a} + {a}?"} for a in range(40)])


def _write(path: Path, rows: list[dict]) -> None:  # pyright: ignore[reportMissingTypeArgument]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


FILES: dict[str, tuple[Callable[[Path], None], ...]] = {
    "README.md": (_answers, _judged, _other, _prompts),
    "docs/guide/calibrate.md": (_judged,),
    "docs/guide/choose-a-verifier.md": (_other,),
    "docs/guide/own-images.md": (_photos,),
    "docs/guide/own-table.md": (_people,),
    "docs/guide/will-my-verifier-help.md": (_answers,),
}
