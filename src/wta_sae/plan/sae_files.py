"""The files of an SAE's directory: the first two are SAELens', the others ours."""

CONFIG_FILE = "cfg.json"
WEIGHTS_FILE = "sae_weights.safetensors"
THRESHOLDS_FILE = "thresholds.safetensors"  # of every inference rule
CURVE_FILE = "training.csv"
PROVENANCE_FILE = "provenance.json"
