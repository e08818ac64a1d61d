"""Features of a trained trunk: extraction, k-NN, SVMs, cached linear evaluation, pictures."""
