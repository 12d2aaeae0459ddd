"""The machine that a job runs on: its disk, its devices, its network, the versions of its libraries."""
