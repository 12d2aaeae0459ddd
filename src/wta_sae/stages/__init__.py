"""One thin module a stage of the command line: `add_arguments(parser)` and `run(arguments)`."""
