"""The cache of a language model's activations: written, and streamed back."""
