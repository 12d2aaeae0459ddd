"""Figures, tables and numbers of the paper, from one tidy table of metrics."""
