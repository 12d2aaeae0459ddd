"""TopK with a floor for each latent"""
