"""The parts of `benchmarks.gpu`. They need PyTorch, numpy and this repository's `model`, and nothing else."""
