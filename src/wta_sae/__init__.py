"""Winner-takes-all sparse autoencoders: the functions that the workflow calls."""
