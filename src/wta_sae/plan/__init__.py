"""What a config asks for, and whether it can be: read when the workflow is planned. Free of torch."""
