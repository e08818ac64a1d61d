"""What a trained trunk is taken through: features of its layers, k-NN, SVMs, pictures."""
