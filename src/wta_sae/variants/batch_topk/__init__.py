"""BatchTopK"""
