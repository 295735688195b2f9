# Conda environments: those that depend on the hardware, and the checkout that each installs.
import os

import hyenadna

# For workflow/envs/install_checkout.sh; Snakemake copies that away from here before it runs it.
os.environ["HYENADNA_SOURCE"] = str(Path(hyenadna.__file__).resolve().parents[2])


envvars:
    "HYENADNA_SOURCE",


HARDWARE = "cuda" if config["gpus"] else "cpu"
TRAINING_ENVIRONMENT = f"../envs/train-{HARDWARE}.yaml"
TRANSFORMERS_ENVIRONMENT = f"../envs/transformers-{HARDWARE}.yaml"
