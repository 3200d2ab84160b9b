"""A trained classifier as verifier: its confidence that an image matches its label."""

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
    """Scores an image with the probability that a classifier gives to its label.

    The classifier is fixed: a bundled one, or weights with their card, trained on labelled images. Metrics in
    the features of the same classifier measure what was selected for, so use another classifier for one of
    them.

    Attributes:
        classifier: Name of a bundled classifier, or path of a ``.safetensors`` file with its card next to it.
        image: Name of the image column; None: the data's only one.
        label: Name of the label column; None: the data's only one.
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
                f"verifier 'classifier': {self.classifier!r} was not trained on such images",
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
        # torch.tensor copies, because columns of samples are read-only, which tensors cannot be.
        pixels = torch.tensor(samples.array(self.image or "pixels"))
        label = torch.tensor(samples.array(self.label or "label").astype(np.int64))
        logits = torch.cat(list(in_batches(classifier, pixels))).double()
        share = torch.softmax(logits, dim=1)
        return Verdicts(share.gather(1, label[:, None])[:, 0].numpy())
