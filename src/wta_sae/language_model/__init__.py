"""The language model: loaded, parted after a block, and the default run's own trained."""
