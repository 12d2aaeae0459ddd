"""BatchTopK with a floor for each latent"""
