"""Activations whose true features are known"""
