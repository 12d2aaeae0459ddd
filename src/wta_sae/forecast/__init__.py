"""What a run will take, before it starts: time, disk, memory. Free of torch, for the Snakefile asks."""
