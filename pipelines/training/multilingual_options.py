"""What the multilingual recipe is made from; nothing that trains is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.checkpoint_source import BUNDLED_FORMS

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "zh", "ja")
"""Languages in which forms are drawn, by their two letters."""

MIN_FORMS = 5
"""Fewer forms in a language hold out none as dev."""

Start = Literal["english", "nothing"]
"""What a model learns from: an English model with new word embeddings, or random weights."""


@dataclass(frozen=True)
class MultilingualOptions:
    """Options of `pipelines.training.multilingual_recipe`."""

    output: str
    """Folder for the forms, the vocabulary, the runs and results.json."""
    model: str = BUNDLED_FORMS
    """Folder, hub id or s3:// URI of an English model for forms with a WordPiece vocabulary: its weights to start from,
    and the sizes of a model from nothing."""
    start: Literal["english", "nothing", "both"] = "english"
    """english: all weights of --model, with word embeddings made anew; nothing: random weights; both: one after the
    other."""
    languages: str = ",".join(LANGUAGES)
    """Languages of the forms by their two letters."""
    forms: int = 400
    """Forms to draw in each language to learn; every fifth one of them is for comparing checkpoints."""
    test_forms: int = 50
    """Further forms to draw in each language to measure on."""
    vocabulary_size: int = 16_000
    """The most pieces of the vocabulary."""
    steps: int = 2000
    """Updates of the weights."""
    batch_size: int = 8
    """Windows of one update."""
    workers: int = 1
    """Processes that train together."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Dtype of the arithmetic (autocast); bfloat16 is faster where the CPU or GPU has it, and much slower where not."""
    threads: int | None = None
    """Threads of PyTorch in each worker; by default the workers share the cores of a machine."""
    seed: int = 0
    """Seed of everything that is drawn at random."""

    @property
    def starts(self) -> tuple[Start, ...]:
        """The models that are trained, one after the other."""
        return ("english", "nothing") if self.start == "both" else (self.start,)

    @property
    def language_codes(self) -> tuple[str, ...]:
        """Those of `languages`, each once.

        Raises:
            ValueError: there is none, or forms are not drawn in one.
        """
        codes = tuple(dict.fromkeys(code.strip() for code in self.languages.split(",") if code.strip()))
        if not codes or not set(codes) <= set(LANGUAGES):
            raise ValueError(f"--languages is {self.languages!r}; forms are drawn in {', '.join(LANGUAGES)}")
        return codes
