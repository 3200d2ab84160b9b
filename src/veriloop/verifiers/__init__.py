"""Verifiers: they judge samples."""

from typing import TYPE_CHECKING

from ..lazy import export_lazily

if TYPE_CHECKING:
    from .against import Against
    from .checks import Command, JSONSchema, Math, PythonTests, Regex
    from .classifier import ClassifierScore
    from .discriminator import Discriminator
    from .ensemble import Cascade, Cutoff, Majority, Unanimous, Weighted
    from .function import FunctionCheck
    from .http import HTTP
    from .human.verifier import Human
    from .knowledge_ball import KnowledgeBall
    from .known_truth import HalfSpace, ScoreTable
    from .llm_judge import LLMJudge
    from .noisy import Noisy
    from .reference import ReferenceOverlap
    from .reward import RewardModel

__all__ = [
    "HTTP",
    "Against",
    "Cascade",
    "ClassifierScore",
    "Command",
    "Cutoff",
    "Discriminator",
    "FunctionCheck",
    "HalfSpace",
    "Human",
    "JSONSchema",
    "KnowledgeBall",
    "LLMJudge",
    "Majority",
    "Math",
    "Noisy",
    "PythonTests",
    "ReferenceOverlap",
    "Regex",
    "RewardModel",
    "ScoreTable",
    "Unanimous",
    "Weighted",
]

export_lazily(
    globals(),
    {
        ".against": ["Against"],
        ".checks": ["Command", "JSONSchema", "Math", "PythonTests", "Regex"],
        ".classifier": ["ClassifierScore"],
        ".discriminator": ["Discriminator"],
        ".ensemble": ["Cascade", "Cutoff", "Majority", "Unanimous", "Weighted"],
        ".function": ["FunctionCheck"],
        ".http": ["HTTP"],
        ".human.verifier": ["Human"],
        ".knowledge_ball": ["KnowledgeBall"],
        ".known_truth": ["HalfSpace", "ScoreTable"],
        ".llm_judge": ["LLMJudge"],
        ".noisy": ["Noisy"],
        ".reference": ["ReferenceOverlap"],
        ".reward": ["RewardModel"],
    },
)
