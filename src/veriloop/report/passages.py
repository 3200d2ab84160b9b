"""Sample texts: what the models of a run write for held-out prompts, beside what a person wrote."""

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
"""How many held-out prompts are shown."""

LONGEST = 400
"""Characters of a prompt; the rest of an article says little more."""


@dataclass(frozen=True)
class Text:
    """What an arm's model wrote after a round; "start" is the model that all arms share."""

    arm: str
    round: int
    text: str


@dataclass(frozen=True)
class Passage:
    """What the models of a run wrote for one prompt.

    Attributes:
        prompt: Its beginning.
        reference: What a person wrote; empty where there is nothing.
        texts: The start model's, then those of the first, middle and last round of every arm.
    """

    prompt: str
    reference: str
    texts: list[Text]


def passages(folder: RunFolder) -> list[Passage]:
    """Of the first held-out prompts of a run; none when nothing is written in it.

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
    """A column of texts; of chats what people read of them."""
    texts = samples.texts(name)
    return list(map(shown, texts.values())) if isinstance(texts, Nested) else texts


def shortened(text: str) -> str:
    """The beginning of a long text, whole words only."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(maxsplit=1)[0]} …"
