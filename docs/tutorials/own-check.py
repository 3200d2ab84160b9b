# %% [markdown]
# # Your own check on a language model
#
# A language model answers questions, your Python function checks each answer, and the model is fine-tuned on the right ones. This is
# rejection-sampling fine-tuning in rounds, with an unverified arm for comparison.
#
# You need `pip install 'veriloop[llm,report]'`. This page takes about two minutes.
#
# ## Three things
#
# You need a file of prompts, a check, and a model.
#
# **The prompts** are short sentences, each with a question. Each line of the file is an object, and you choose the names of its fields.

# %%
import itertools
import json
from pathlib import Path

animals = ["cat", "cow", "dog", "duck", "frog", "goose", "hen", "horse", "owl", "pig", "sheep", "wolf"]
verbs = ["walks", "runs", "sleeps", "waits", "sings"]
places = ["here", "there", "at home", "in the barn", "by the lake"]
rows = [
    {"question": f"The {animal} {verb} {place}. Who?", "answer": f"the {animal}"}
    for animal, verb, place in itertools.product(animals, verbs, places)
]
Path("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
print(len(rows), "prompts, such as", rows[0])

# %% [markdown]
# **The check** is a function of a row. The text that the model wrote is in the row under the name of its column, here `answer`. A check may
# return a reason with its yes or no. Put the check into a module, because worker processes import it.

# %%
Path("my_checks.py").write_text(
    """
def is_right(row):
    animal = row["question"].split()[1]
    if row["answer"].strip() == f"the {animal}":
        return True
    return False, "another animal" if row["answer"].startswith("the ") else "not of the form"
""".lstrip()
)

# %% [markdown]
# If a check raises an exception or takes too long, the verifier abstains, and the run counts the reason.
#
# **The model** is any model folder in the Hugging Face format. To avoid a download, this page makes a small one: two untrained layers,
# with a tokenizer for these texts. Replace it by the path of your own model.

# %%
from veriloop.testing.language import save_tiny_language

texts = [row["question"] + " " + row["answer"] for row in rows]
save_tiny_language(Path("tiny-model"), texts, vocabulary=400, hidden=64)

# %% [markdown]
# ## The plan

# %%
import veriloop as vl

plan = vl.Plan(
    dataset=vl.datasets.TextFiles(
        files="prompts.jsonl", columns={"prompt": "question", "completion": "answer"}, start=40, held_out=0.4
    ),
    learner=vl.learners.CausalLM(
        model="tiny-model",
        prompt={"template": "{question}"},
        decoding={"max_new_tokens": 6, "temperature": 1.0},
        epochs=20,
        learning_rate=0.003,
    ),
    verifier=vl.verifiers.FunctionCheck(function="my_checks:is_right"),
    warm_start=True,
    samples_per_prompt=4,
    keep_per_prompt=1,
    schedule=vl.rules.Constant(n=100),
    on_exhausted="train_with_fewer",
    metrics=[vl.metrics.FunctionMean(function="my_checks:is_right"), vl.metrics.TextDiversity()],
    arms=["verified", "unverified"],
    rounds=3,
)

# %% [markdown]
# - `start=40`: forty of the training pairs teach the model the form of an answer first. Forty pairs are few, so the start model is nearly always wrong.
# - `held_out=0.4`: these prompts are never trained on and used only to measure.
# - The model draws four answers for each prompt at temperature 1. At most one right answer is kept for each.
# - The same check is a metric: the share of right answers to held-out prompts.

# %%
run = vl.run(plan, "runs/animals", progress=False)
print(run.verdict)
table = run.frame()
print(table[table.metric == "check"][["arm", "round", "value", "se"]].round(3).to_string(index=False))

# %% [markdown]
# ## What the check accepted

# %%
for record in run.records():
    if record.round > 0:
        counts = record.counts
        print(f"{record.arm}, round {record.round}: {counts.accepted} accepted of {counts.generated}")

# %% [markdown]
# The start model is hardly ever right. But a few right answers are enough to begin with, and each round finds more of them. Without the check, the model
# trains on its own mistakes and learns nothing.
#
# ## Export the results
#
# You can export the kept answers as training data for any other trainer, and the model as an ordinary Hugging Face folder:
#
# <!-- needs: the run above -->
# ```
# veriloop export runs/animals --round 3 --arm verified --to kept.jsonl --as prompt-completion
# veriloop export runs/animals --model my-model --arm verified --round 3
# ```
#
# With your own model, start with a preview: `vl.preview(plan)` takes at most a minute, shows judged answers, and estimates the time of the whole run.
#
# **Next:** [language models](../guide/language.md), or [rewards and checks](../guide/rewards.md) for reward functions from TRL and verl.
