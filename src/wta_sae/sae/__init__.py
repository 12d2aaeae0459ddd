"""A trained SAE: what it computes, how it lies on disk, where it may be used."""
