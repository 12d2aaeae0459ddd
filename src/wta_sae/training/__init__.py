"""Trains SAEs: one trainer for every variant."""
