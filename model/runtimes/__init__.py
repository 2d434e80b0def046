"""What runs a model's network for predictions: `Runtime` is what all have in common, and each has a file."""
