"""Data sets: sources of real data, and how they are split by role."""

from typing import TYPE_CHECKING

from ..lazy import export_lazily

if TYPE_CHECKING:
    from .arithmetic import Arithmetic
    from .array_file import ArrayFile
    from .digits import Digits
    from .hugging_face import HuggingFace
    from .idx import MNIST, FashionMNIST, IdxFolder
    from .image_folder import ImageFolder
    from .linear import LinearModel
    from .points import Categories, Mixture
    from .program_images import HuggingFaceImages, TorchImages
    from .text import TextFiles
    from .toys import Toy
    from .xsum import XSum

__all__ = [
    "MNIST",
    "Arithmetic",
    "ArrayFile",
    "Categories",
    "Digits",
    "FashionMNIST",
    "HuggingFace",
    "HuggingFaceImages",
    "IdxFolder",
    "ImageFolder",
    "LinearModel",
    "Mixture",
    "TextFiles",
    "TorchImages",
    "Toy",
    "XSum",
]

export_lazily(
    globals(),
    {
        ".arithmetic": ["Arithmetic"],
        ".array_file": ["ArrayFile"],
        ".digits": ["Digits"],
        ".hugging_face": ["HuggingFace"],
        ".idx": ["FashionMNIST", "IdxFolder", "MNIST"],
        ".image_folder": ["ImageFolder"],
        ".linear": ["LinearModel"],
        ".points": ["Categories", "Mixture"],
        ".program_images": ["HuggingFaceImages", "TorchImages"],
        ".text": ["TextFiles"],
        ".toys": ["Toy"],
        ".xsum": ["XSum"],
    },
)
