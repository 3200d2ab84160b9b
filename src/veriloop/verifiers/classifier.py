"""A trained classifier as verifier: how sure it is that an image shows what its label says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from typing_extensions import override

from ..errors import ConfigError
from ..metrics.classifiers import AUTO, SHIPPED, TRAIN, UNLABELLED, FeatureName, files, load_card
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from .base import Verifier


class ClassifierScore(Verifier, frozen=True):
    """Scores an image by the probability that a classifier gives to its label.

    The classifier is fixed: a shipped one, or weights with their card that were trained on labelled images.
    Metrics in the features of the same classifier then measure what was selected for; give one of them
    another classifier.

    Attributes:
        classifier: A shipped classifier's name, or the path of a ``.safetensors`` file with its card beside
            it.
        image: The column of the images; None: the data's only one.
        label: The column of their labels; None: the data's only one.
    """

    classifier: FeatureName
    image: str | None = None
    label: str | None = None

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = "verifier 'classifier'"
        if self.classifier in (AUTO, *UNLABELLED):
            raise ConfigError(
                f"{me}: classifier",
                got=self.classifier,
                expected=f"{', '.join(SHIPPED)}, or the path of a .safetensors file",
                fix=TRAIN,
            )
        image = schema.pick(me, "image", self.image, "image")
        label = schema.pick(me, "label", self.label, "label")
        return super().suited_to(schema).model_copy(update={"image": image, "label": label})

    @override
    def sources(self) -> Mapping[str, Path]:
        if self.classifier in SHIPPED:
            return {}
        weights, card = files(self.classifier)
        return {f"classifier {weights.name}": weights, f"card {card.name}": card}

    @override
    def check_ahead(self, schema: Schema) -> None:
        image, classes = schema[self.image or ""], schema[self.label or ""].classes
        card = load_card(self.classifier)
        if not card.fits(image, classes):
            size = f"{image.height}x{image.width}x{image.channels}"
            known = f"{card.height}x{card.width}x{card.image_channels}"
            raise ConfigError(
                f"verifier 'classifier': {self.classifier!r} does not know such images",
                got=f"{size}, up to {image.levels}, {classes} labels",
                expected=f"{known}, up to {card.levels}, {card.classes} labels",
                fix=TRAIN,
            )

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        import torch

        from ..metrics.features import load_classifier
        from ..networks import in_batches

        classifier = load_classifier(self.classifier)
        # torch.tensor copies: the columns of samples are read-only, which tensors cannot be.
        pixels = torch.tensor(samples.array(self.image or "pixels"))
        label = torch.tensor(samples.array(self.label or "label").astype(np.int64))
        logits = torch.cat(list(in_batches(classifier, pixels))).double()
        share = torch.softmax(logits, dim=1)
        return Verdicts(share.gather(1, label[:, None])[:, 0].numpy())
