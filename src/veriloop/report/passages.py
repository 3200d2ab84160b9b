"""Sample texts: what the models of a run write for held-out prompts, next to a person's text."""

from dataclasses import dataclass

from ..cards import RunCard
from ..nested import Nested
from ..samples import Samples
from ..schema import Role
from ..store.folder import RunFolder
from ..turns import shown
from .pictures import first_middle_last
from .summary import by_arm

PROMPTS = 4
"""Number of held-out prompts shown."""

LONGEST = 400
"""Number of characters of a prompt that are shown."""


@dataclass(frozen=True)
class Text:
    """Text written by an arm's model after a round; "start" is the model that all arms share."""

    arm: str
    round: int
    text: str


@dataclass(frozen=True)
class Passage:
    """The texts written by a run's models for one prompt.

    Attributes:
        prompt: Start of the prompt.
        reference: Text written by a person; empty if there is none.
        texts: Texts of the start model, then of the first, middle and last round of every arm.
    """

    prompt: str
    reference: str
    texts: list[Text]


def passages(folder: RunFolder) -> list[Passage]:
    """Return the texts for the first held-out prompts of a run; empty if it writes no texts.

    Raises:
        CorruptFileError: A file of samples cannot be read.
    """
    cards = folder.manifest().cards
    written, reference = (_column(cards, role) for role in ("completion", "reference"))
    source = _column(cards, "prompt") or _column(cards, "messages")
    chains = by_arm(folder.records(), cards.arms)
    if written is None or not chains:
        return []
    shown = [("start", next(iter(chains)), 0)]
    for arm, chain in chains.items():
        shown += [(arm, arm, round_) for round_ in first_middle_last([r.round for r in chain if r.round > 0])]
    made: list[tuple[str, int, Samples]] = []
    for name, arm, round_ in shown:
        samples = folder.preview(round_, arm)
        if samples is not None:
            made.append((name, round_, samples.select(slice(PROMPTS))))
    if not made:
        return []
    first = made[0][2]
    prompts, references = (
        texts_of(first, name) if name is not None and name in first else [""] * len(first)
        for name in (source, reference)
    )
    return [
        Passage(
            prompt=shortened(prompts[i]),
            reference=references[i],
            texts=[Text(name, round_, samples.texts(written)[i]) for name, round_, samples in made],
        )
        for i in range(len(first))
    ]


def _column(cards: RunCard, role: Role) -> str | None:
    return next(iter(cards.data.named(role)), None)


def texts_of(samples: Samples, name: str) -> list[str]:
    """Return a text column; chats are formatted for reading."""
    texts = samples.texts(name)
    return list(map(shown, texts.values())) if isinstance(texts, Nested) else texts


def shortened(text: str) -> str:
    """Return the start of a long text, cut between words."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(maxsplit=1)[0]} …"
