"""Reward functions in the shapes in which people publish them; each is called as it stands here."""

import asyncio
import contextlib
import io
import json
import math
import re
from functools import partial


def accuracy(completions, solution, **kwargs):
    """Whether the answer is right, by math-verify; None where the solution is no mathematics."""
    from math_verify import parse, verify

    rewards = []
    for completion, right in zip(completions, solution, strict=True):
        gold = parse(f"${right}$")
        rewards.append(float(verify(gold, parse(completion))) if gold else None)
    return rewards


def think_format(completions, **kwargs):
    """Whether the reasoning and the answer stand in their tags; on chat messages."""
    pattern = r"^<think>.*?</think>\s*<answer>.*?</answer>$"
    contents = [completion[0]["content"] for completion in completions]
    return [1.0 if re.match(pattern, content, re.DOTALL) else 0.0 for content in contents]


def length(completions, **kwargs):
    """Near 20 words is best."""
    return [-abs(20 - len(completion.split())) / 20 for completion in completions]


def repetition_penalty(ngram_size, max_penalty):
    """A penalty for n-grams that come again; made by a function of its settings."""

    def reward(completions, **kwargs):
        rewards = []
        for completion in completions:
            words = completion.lower().split()
            ngrams = [tuple(words[i : i + ngram_size]) for i in range(len(words) - ngram_size + 1)]
            rewards.append(max_penalty * (1 - len(set(ngrams)) / len(ngrams)) if ngrams else 0.0)
        return rewards

    return reward


repetition = repetition_penalty(2, -1.0)


def cosine_scaled(completions, solution, max_len=60, **kwargs):
    """Right answers are worth more when short, wrong ones less."""
    rewards = []
    for completion, right in zip(completions, solution, strict=True):
        progress = math.cos(min(len(completion), max_len) / max_len * math.pi)
        low, high = (0.5, 1.0) if right in completion else (-1.0, -0.5)
        if right not in completion:
            low, high = high, low
        rewards.append(float(low + 0.5 * (high - low) * (1 + progress)))
    return rewards


def code_execution(completions, tests, **kwargs):
    """The share of tests that fenced code passes."""
    rewards = []
    for completion, cases in zip(completions, tests, strict=True):
        found = re.search(r"```python\n(.*?)```", completion, re.DOTALL)
        names: dict = {}
        passed = 0
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            exec(found.group(1) if found else "", names)
        for case in json.loads(cases):
            with contextlib.suppress(Exception):
                exec(case, names)
                passed += 1
        rewards.append(passed / max(1, len(json.loads(cases))))
    return rewards


def valid_json(prompts, completions, log_metric, log_extra, **kwargs):
    """Whether the text is JSON; logs the share, and what was found."""
    rewards, found = [], []
    for completion in completions:
        try:
            found.append(type(json.loads(completion)).__name__)
            rewards.append(1.0)
        except json.JSONDecodeError:
            found.append(None)
            rewards.append(0.0)
    log_metric("json_share", sum(rewards) / len(rewards))
    log_extra("json", found)
    return rewards


def keyword_count(completions: list[str], keywords: list[str], trainer_state=None) -> list[float]:
    """How many of the row's keywords occur."""
    return [
        float(sum(word in completion for word in words.split(",")))
        for completion, words in zip(completions, keywords, strict=True)
    ]


async def from_a_service(prompts, completions, completion_ids=None, **kwargs):
    """Each completion is asked about at the same time, as over HTTP."""

    async def ask(text):
        await asyncio.sleep(0.001)
        return len(text) % 7 / 7

    return await asyncio.gather(*(ask(completion) for completion in completions))


def for_one_task(completions, task, **kwargs):
    """None for the rows of another task."""
    return [float(len(c)) if t == "math" else None for c, t in zip(completions, task, strict=True)]


def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    """In verl's form; a dict with what was extracted."""
    assert data_source == "made", data_source
    numbers = re.findall(r"-?\d+", solution_str)
    pred = numbers[-1] if numbers else None
    return {"score": 1.0 if pred == ground_truth else 0.1 * (pred is not None), "pred": pred}


class WithState:
    """A class that is set up once, and called with lists."""

    def __init__(self, most: int = 50) -> None:
        self.most, self.calls = most, 0

    def __call__(self, completions, **kwargs):
        self.calls += 1
        return [min(len(completion), self.most) / self.most for completion in completions]


short_only = partial(cosine_scaled, max_len=20)
