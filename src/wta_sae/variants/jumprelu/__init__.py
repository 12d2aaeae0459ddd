"""JumpReLU: a trained threshold for each latent"""
