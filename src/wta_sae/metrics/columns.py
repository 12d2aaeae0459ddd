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
FOUND_AGAIN_FROM = 0.7  # and a latent as found again with another seed
DENSITY_CLASSES = (0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)  # of latents: lower bounds, in units of their mean density
FOREIGN = "foreign"  # the variant of an SAE from elsewhere, whatever it is
