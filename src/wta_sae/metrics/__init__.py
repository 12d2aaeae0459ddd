"""Metrics of a trained SAE: small pure functions over tensors, streamed over batches."""
