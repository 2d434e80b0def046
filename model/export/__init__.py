"""Models for other runtimes: exported, quantized, and checked against PyTorch."""
