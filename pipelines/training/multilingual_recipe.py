"""The recipe of a small multilingual model without a published one to start from.

forms:       headers, questions and answers are drawn in each language, in XFUND's format
vocabulary:  a SentencePiece Unigram vocabulary is trained on their words
start:       an English model whose word embeddings are made anew for that vocabulary, or random weights
training:    the labels of the drawn forms, all languages mixed
evaluation:  on drawn forms of other seeds, language by language
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.checkpoint_source import checkpoint_fingerprint, resolve_checkpoint
from model.preprocessing.tokenizer_files import SENTENCEPIECE_FILE
from pipelines.datasets.xfund import form_language
from pipelines.evaluation.corpus import check_scores, read_split
from pipelines.evaluation.evaluate import labelled_dataset, page_rows, predict_pages
from pipelines.evaluation.metrics.scores import score_pages
from pipelines.evaluation.options import EvaluateOptions
from pipelines.schema import Row
from pipelines.storage.files import normalise_uri
from pipelines.training.forms_recipe import MOVED, run_step, step_options
from pipelines.training.initialization import choose_init
from pipelines.training.multilingual_options import MultilingualOptions
from pipelines.training.multilingual_pages import page_texts, read_pages, unseen_share, write_language_forms
from pipelines.training.multilingual_start import train_vocabulary, write_start
from pipelines.training.options import OptimizerOptions, TrainingOptions

logger = logging.getLogger(__name__)

RESULTS = "results.json"

TRAINING = TrainingOptions(
    checkpoint_every=100,
    optimizer=OptimizerOptions(learning_rate=5e-4, new_parts_learning_rate=1e-3, average_weights=0.99),
    augment=replace(MOVED, mask_words=0.15),
)
"""How a start learns the drawn forms; the word embeddings too, for many of them are new."""


def train_multilingual_models(options: MultilingualOptions) -> dict[str, Any]:
    """Run the whole recipe on the connected Ray cluster; an interrupted one continues.

    Returns:
        For each start the folder of its model and the figures by language, as in results.json under the output.

    Raises:
        The errors of `finetune`, and MissingPagesError if a page to measure on was lost on the way.
    """
    output, codes = Path(normalise_uri(options.output)), options.language_codes
    drawn = output / f"forms-{options.forms}-{options.test_forms}-{options.seed}"
    drawn.mkdir(parents=True, exist_ok=True)
    write_language_forms(drawn, codes, options.forms, options.test_forms, options.seed)
    languages = ",".join(codes)
    made_of = "-".join(map(str, (*codes, options.forms, options.vocabulary_size, options.seed)))
    vocabulary = output / f"{made_of}-{SENTENCEPIECE_FILE}"
    if not vocabulary.exists():
        train_vocabulary(page_texts(drawn, "train+dev", languages), options.vocabulary_size, vocabulary)
    model = checkpoint_fingerprint(resolve_checkpoint(options.model))[:8]
    results: dict[str, Any] = {"unseen_words": _unseen_words(drawn, codes), "starts": {}}
    for start in options.starts:
        folder = write_start(
            output / f"start-{start}-{model}-{made_of}", start, options.model, vocabulary, options.seed
        )
        step = step_options(
            output / f"run-{start}",
            choose_init(str(folder), None, None),
            replace(TRAINING, dtype=options.dtype),
            "xfund",
            str(drawn),
            options.steps,
            evaluations=4,
            batch_size=options.batch_size,
            workers=options.workers,
            seed=options.seed,
        )
        trained = run_step(
            replace(step, language=languages, threads=options.threads, cache=str(output / "examples"))
        ).source
        figures = _figures_by_language(drawn, codes, trained)
        results["starts"][start] = {"model": trained, "by_language": figures}
        (output / RESULTS).write_text(json.dumps(results, indent=2) + "\n")
    return results


def results_table(results: Mapping[str, Any]) -> str:
    """The figures as a Markdown table: a row for each start and figure, a column for each language."""
    languages = list(results["unseen_words"])
    lines = [_row(["start", "figure", *languages, "mean"]), _row(["---"] * (len(languages) + 3))]
    for start, result in results["starts"].items():
        for name, title in (("f1", "entities, F1"), ("pairs", "pairs, F1")):
            values = [result["by_language"][language][name] for language in languages]
            mean = sum(values) / len(values)
            lines.append(_row([start, title, *(f"{value:.3f}" for value in (*values, mean))]))
    shares = [results["unseen_words"][language] for language in languages]
    lines.append(_row(["", "words not in the learned forms", *(f"{share:.0%}" for share in shares), ""]))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _unseen_words(drawn: Path, languages: Sequence[str]) -> dict[str, float]:
    return {
        language: unseen_share(read_pages(drawn, "train+dev", language), read_pages(drawn, "val", language))
        for language in languages
    }


def _figures_by_language(drawn: Path, languages: Sequence[str], model: str) -> dict[str, dict[str, Any]]:
    """F1 of entities, of each kind, and of pairs on the held-out forms of each language.

    Raises:
        MissingPagesError: a page was lost on the way.
    """
    options = EvaluateOptions(
        dataset="xfund", data=str(drawn), split="val", language=",".join(languages), model=model, task=TRAINING.task
    )
    pages = read_split(options).pages
    dataset, pools = labelled_dataset(pages, options)
    tables = predict_pages(dataset, options, pools).iter_batches(batch_size=None, batch_format="pyarrow")
    rows: dict[str, list[Row]] = {language: [] for language in languages}
    for row in page_rows(tables, len(pages)):
        rows[form_language(row["document_id"])].append(row)
    figures: dict[str, dict[str, Any]] = {}
    for language, of_language in rows.items():
        scores = score_pages(options.dataset, options.task, of_language)
        check_scores(options, scores, sum(form_language(page.document_id) == language for page in pages))
        values = scores.values
        figures[language] = {
            "f1": values["f1"],
            "by_label": {label: score["f1"] for label, score in values["by_label"].items()},
            "pairs": values["pairs"]["end_to_end"]["f1"] if values.get("pairs") else 0.0,
            "pages": values["pages"],
        }
    return figures
