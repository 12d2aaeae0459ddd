"""The SAE variants, a folder each: `spec`, which the plan reads (free of torch), and `rule`, which training follows."""
