"""The tidy table of metrics: its columns, and what is no metric in the records that it is made of."""

# zipf_exponent: of the synthetic activations that an SAE was trained on; empty for those of a language model.
# What a record says beside its metrics.
DESCRIPTION = ("sae", "inference", "rates", "undefined", "differences")
COLUMNS = [
    "run",
    "sae",
    "variant",
    "sparsity_rate",
    "k_per_token",
    "k_per_latent",
    "seed",
    "zipf_exponent",
    "ablation",
    "inference",
    "metric",
    "value",
]
FOUND_FROM = 0.9  # the matched cosine from which on a true feature counts as found
FOREIGN = "foreign"  # the variant of an SAE from elsewhere, whatever it is
