# %% [markdown]
# # Your own check on a language model
#
# A language model answers questions, a Python function of yours checks each answer, and the model is fine-tuned on the right ones. This is
# rejection-sampling fine-tuning, in rounds, with an unverified arm beside it.
#
# You need `pip install 'veriloop[llm,report]'`. This page takes about two minutes.
#
# ## Three things
#
# You need a file of prompts, a check, and a model.
#
# **The prompts** are sums of two numbers below ten. Each line is an object, and its fields have names of your choice.

# %%
import json
from pathlib import Path

sums = [{"question": f"{a} + {b} =", "answer": str(a + b)} for a in range(10) for b in range(10)]
Path("sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sums))

# %% [markdown]
# **The check** is a function of a row. What the model wrote stands under the name of its column, here `answer`. Put it into a module,
# because worker processes import it.

# %%
Path("my_checks.py").write_text(
    """
def is_right(row):
    a, b = row["question"].removesuffix(" =").split(" + ")
    return int(row["answer"]) == int(a) + int(b)
""".lstrip()
)

# %% [markdown]
# An answer such as `nine` makes this function raise an exception. That is fine: the verifier then abstains, and the run counts the reason.
#
# **The model** is any folder in the format of Hugging Face. So that nothing has to be downloaded, this page makes one: two layers,
# untrained, with a tokenizer for these texts. Put the path of your own model instead.

# %%
from veriloop.testing.language import save_tiny_language

save_tiny_language(Path("tiny-model"), [row["question"] + " " + row["answer"] for row in sums], hidden=64)

# %% [markdown]
# ## The plan

# %%
import veriloop as vl

plan = vl.Plan(
    dataset=vl.datasets.TextFiles(
        files="sums.jsonl", columns={"prompt": "question", "completion": "answer"}, start=0.5, held_out=0.1
    ),
    learner=vl.learners.CausalLM(
        model="tiny-model",
        prompt={"template": "{question}"},
        decoding={"max_new_tokens": 4, "temperature": 1.0},
        epochs=60,
        learning_rate=0.003,
    ),
    verifier=vl.verifiers.FunctionCheck(function="my_checks:is_right"),
    warm_start=True,
    samples_per_prompt=8,
    keep_per_prompt=2,
    schedule=vl.rules.Constant(n=120),
    max_candidates=720,
    on_exhausted="train_with_fewer",
    metrics=[vl.metrics.FunctionMean(function="my_checks:is_right"), vl.metrics.TextDiversity()],
    arms=["verified", "unverified"],
    rounds=3,
)

# %% [markdown]
# - `start=0.5`: half of the training pairs teach the model the form of an answer first.
# - `held_out=0.1`: a tenth of the prompts is never trained on and used only to measure.
# - The model draws eight answers for each prompt at temperature 1. At most two right ones are kept.
# - The same check is a metric: the share of right answers to held-out prompts.

# %%
run = vl.run(plan, "runs/sums", progress=False)
print(run.verdict)
table = run.frame()
print(table[table.metric == "check"][["arm", "round", "value", "se"]].round(3).to_string(index=False))

# %% [markdown]
# ## What the check said

# %%
for record in run.records():
    if record.round > 0:
        counts = record.counts
        print(f"{record.arm}, round {record.round}: {counts.accepted} accepted of {counts.generated}")
        print("   ", dict(record.abstentions))

# %% [markdown]
# Reasons for abstaining are counted too. Here they are mostly texts that are no number.
#
# ## Take it out again
#
# The kept answers are training data for any other trainer, and the model is an ordinary Hugging Face folder:
#
# <!-- needs: the run above -->
# ```
# veriloop export runs/sums --round 3 --arm verified --to kept.jsonl --as prompt-completion
# veriloop export runs/sums --model my-model --arm verified --round 3
# ```
#
# With your own model, look first: `vl.preview(plan)` takes at most a minute, shows judged answers, and estimates the time of the whole run.
#
# **Next:** [language models](../guide/language.md), or [rewards and checks](../guide/rewards.md) for reward functions from TRL and verl.
