"""The pipeline's stages behind HTTP: one page now, where `pipelines.run` does millions overnight."""
