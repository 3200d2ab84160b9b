# %% [markdown]
# # Your own images
#
# This page goes from a folder of pictures to a model that is trained with a verifier, mostly from the shell.
#
# You need `pip install 'veriloop[torch,report]'`. This page takes about a minute.
#
# ## A folder
#
# You need a folder with one sub-folder per class and the pictures inside: PNG or JPEG, up to 64 pixels per side. Here we draw 800 small grey pictures of
# rings and bars. If you have such a folder, use it instead.

# %%
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
y, x = np.mgrid[:12, :12] - 5.5
for number in range(800):
    kind = ("bar", "ring")[number % 2]
    if kind == "ring":
        off = np.abs(np.hypot(x, y) - rng.uniform(2.5, 4.5))
    else:
        angle = rng.uniform(0, np.pi)
        off = np.abs(x * np.cos(angle) + y * np.sin(angle))
    ink = np.clip(1.5 - off, 0, 1) * 255
    folder = Path("shapes", kind)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ink.astype(np.uint8)).save(folder / f"{number}.png")
print(sorted(str(path) for path in Path("shapes").iterdir()))


# %% [markdown]
# ## A plan
#
# `veriloop init images` looks at the folder and writes a plan with comments. It never overwrites a file.


# %%
def shell(command: str) -> None:
    """Run a command as you would in a terminal, and show what it prints."""
    done = subprocess.run(command, shell=True, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout)


shell("veriloop init images --path shapes")
print(Path("images.yaml").read_text())

# %% [markdown]
# Read the comments, and change what you like. Then check the plan. `validate` checks everything from the files to the metrics
# and trains nothing.

# %%
shell("veriloop validate images.yaml")

# %% [markdown]
# ## A run
#
# `--set` changes a setting for this run. We make the run small: three rounds.

# %%
small = "--set rounds=3 --set schedule.n=300 --set dataset.levels=3 --set learner.min_steps=300 --set executor=serial"
shell(f"veriloop run images.yaml --out runs/shapes --plain {small}")

# %% [markdown]
# ## The answer

# %%
shell("veriloop show runs/shapes")

# %% [markdown]
# Read the output from the top. The model with the verifier is better than the model without it, by more than luck can explain. No round is shown to be better than the start
# model, so this short run gives you no model to ship. Take the warning seriously: recall has fallen, so the samples are less varied than
# at the start. Without the verifier, nearly all variety is lost.
#
# `runs/shapes/report.html` has the curves and the pictures. In Python, the same run is `vl.Run("runs/shapes")`.
#
# The included classifiers were not trained on such pictures, so these distances use the features of a
# fixed random network. A classifier that is trained on your classes notices more: `veriloop train-classifier images.yaml --out own.safetensors`
# ([how](../guide/own-images.md#quality-and-diversity)).
#
# **Next:** [which filter, how many seeds](filters-and-seeds.py), or [people as verifiers](people.py).
