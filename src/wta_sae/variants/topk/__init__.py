"""TopK"""
