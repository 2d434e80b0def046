"""Geometry or a learned head: which finds the values of keys better on FUNSD's dev forms, over the annotated entities?

    python -m benchmarks.links --funsd DIR
    python -m benchmarks.links --funsd DIR --model CHECKPOINT --train-encoder --epochs 8

The first command trains the relation head over the encoder's states as they are, which takes a minute or two on a CPU.
The second one trains the encoder too, with the word labels as a second objective: one body, two heads. Each row of the
table is the mean of the seeds; links are micro-averaged over the forms. The model in the package has learned the dev
forms' word labels, though not their links: for figures that count, give one that was trained on --split train.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch
import tyro
from torch.nn import functional

from model.decode import Entity, Window, decode_entities, word_logits
from model.heads import IGNORED_LABEL
from model.links import HEADER, KEY, VALUE, Link, link_values
from model.pair_geometry import pair_features
from model.preprocessing.tokenizer import LayoutLMv2Tokenizer
from model.relation_decoder import LINKED, Candidates, Entities, candidates
from model.relation_extraction import LayoutLMv2ForRelationExtraction
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import LabelledPage
from pipelines.documents.document import Document
from pipelines.documents.rendering import RenderOptions, page_size, render_model_image
from pipelines.schema import Row
from pipelines.stages.infer import collate
from pipelines.stages.model_loader import load_tokenizer
from pipelines.stages.tokenize import TokenizeOptions, page_windows

TASK = "token-classification"
ENTITY_LABELS = (HEADER, KEY, VALUE)
PAGES_A_STEP = 4

Pair = tuple[int, int]


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.links`."""

    funsd: str
    """Folder of FUNSD."""
    model: str = "layoutlmv2-forms-small"
    """The token classifier whose encoder is used."""
    seeds: int = 3
    """Runs of each row; 0 leaves the learned heads out."""
    epochs: int = 40
    """Passes over the training forms."""
    learning_rate: float = 1e-3
    """Of the relation head, at its highest; ten times as much for the layer of the distances."""
    train_encoder: bool = False
    """Train the encoder and the token head too, at a tenth of the learning rate."""
    forms: int | None = None
    """Use only so many forms of each split, to see that everything runs."""


@dataclass(frozen=True)
class Form:
    """A form with everything that linking needs.

    Attributes:
        entities: annotated, without "other".
        links: key and value, as positions in `entities`.
        width_to_height: of the page.
        places: (window, token) of the first piece of each entity.
        labels: int64 [windows, tokens], of words' first pieces; -100 for other tokens.
        inputs: of the model; one row a window.
        features: float32 [entities, entities, features], see `model.pair_geometry`.
    """

    page: LabelledPage
    entities: list[Entity]
    links: frozenset[Pair]
    width_to_height: float
    places: torch.Tensor
    labels: torch.Tensor
    inputs: dict[str, torch.Tensor]
    features: torch.Tensor

    def candidates(self, both_orders: bool) -> Candidates:
        """The pairs of the form; an entity's token is its position among the entities' states."""
        kinds = [ENTITY_LABELS.index(entity.label) for entity in self.entities]
        starts = list(range(len(kinds)))
        described: Entities = {"start": starts, "end": [start + 1 for start in starts], "label": kinds}
        heads, tails = zip(*sorted(self.links), strict=True) if self.links else ((), ())
        return candidates(described, {"head": heads, "tail": tails}, both_orders)


def read_forms(options: Options, split: str, tokenizer: LayoutLMv2Tokenizer) -> list[Form]:
    """The forms of a split."""
    corpus = read_corpus("funsd", options.funsd, split, TASK)
    names = {label: number for number, label in enumerate(corpus.labels)}
    return [read_form(page, names, tokenizer) for page in corpus.pages[: options.forms]]


def read_form(page: LabelledPage, label_numbers: dict[str, int], tokenizer: LayoutLMv2Tokenizer) -> Form:
    """A form from its annotation and its image."""
    assert page.words and page.boxes and page.labels and page.links is not None, "FUNSD has all of them"
    entities = decode_entities(page.labels, [1.0] * len(page.words), page.words, page.boxes)
    by_word = {entity.first_word: number for number, entity in enumerate(entities)}
    ends = ((by_word.get(source), by_word.get(target)) for source, target in page.links)
    links = frozenset(
        (key, value)
        for key, value in ends
        if key is not None and value is not None and (entities[key].label, entities[value].label) == (KEY, VALUE)
    )
    windows = page_windows(tokenizer, list(page.words), [list(box) for box in page.boxes], TokenizeOptions())
    places, has_tokens = first_pieces(windows, len(page.words))
    inputs = {name: torch.from_numpy(array) for name, array in collate(windows).items()}
    labels = torch.full(inputs["input_ids"].shape, IGNORED_LABEL)
    for word in np.flatnonzero(has_tokens).tolist():
        labels[tuple(places[word])] = label_numbers[page.labels[word]]
    with Document(Path(page.uri)) as document:
        image = render_model_image(document, 0, RenderOptions())
        size = page_size(document, 0, RenderOptions())
    inputs["image"] = torch.from_numpy(image)[None]
    inputs["image_of_row"] = torch.zeros(len(windows), dtype=torch.long)
    ratio = size.width / size.height
    boxes = np.array([entity.box for entity in entities]).reshape(-1, 4) * [ratio, 1, ratio, 1]
    kinds = [ENTITY_LABELS.index(entity.label) for entity in entities]
    return Form(
        page=page,
        entities=entities,
        links=links,
        width_to_height=ratio,
        places=torch.tensor([places[entity.first_word] for entity in entities]).reshape(-1, 2),
        labels=labels,
        inputs=inputs,
        features=torch.from_numpy(pair_features(boxes, kinds)),
    )


def first_pieces(windows: Sequence[Row], words: int) -> tuple[list[list[int]], np.ndarray]:
    """(window, token) of the first piece of each word where it has most context, and whether it has one."""
    numbered = [
        Window(
            word_indices=np.asarray(window["word_indices"]),
            first_token=window["first_token"],
            logits=np.array([[number, token] for token in range(len(window["input_ids"]))], np.float32),
        )
        for number, window in enumerate(windows)
    ]
    places, found = word_logits(numbered, words)
    return places.astype(int).tolist(), found


def geometry_links(form: Form) -> list[Link]:
    """The links that geometry finds."""
    assert form.page.boxes is not None
    return link_values(form.entities, form.page.boxes, form.width_to_height)


def rule_precision(forms: Sequence[Form]) -> dict[str, float]:
    """The share of right links of each rule of geometry."""
    made = [(link.rule, (link.key, link.value) in form.links) for form in forms for link in geometry_links(form)]
    right = Counter(rule for rule, is_right in made if is_right)
    return {rule: right[rule] / count for rule, count in Counter(rule for rule, _ in made).most_common()}


def entity_states(model: LayoutLMv2ForRelationExtraction, form: Form) -> tuple[torch.Tensor, torch.Tensor]:
    """The states of the entities' first tokens, [entities, hidden_size], and of all tokens, [windows, tokens, ...]."""
    encoded = model.layoutlmv2(**form.inputs).last_hidden_state
    hidden = model.dropout(encoded[:, : form.labels.shape[1]])
    return hidden[form.places[:, 0], form.places[:, 1]], hidden


def start(options: Options, geometry: bool = False) -> LayoutLMv2ForRelationExtraction:
    """The checkpoint's encoder and token head, with a new relation head."""
    return LayoutLMv2ForRelationExtraction.from_pretrained(
        options.model, relation_geometry=geometry, relation_token_labels=True
    )


def train(
    options: Options, forms: Sequence[Form], fixed: Sequence[torch.Tensor], geometry: bool, seed: int
) -> LayoutLMv2ForRelationExtraction:
    """A relation model that has learned the links of the forms, from the `fixed` states of entities if the encoder is
    not trained."""
    torch.manual_seed(seed)
    shuffled = random.Random(seed)
    model = start(options, geometry)
    assert model.classifier is not None
    body = [*model.layoutlmv2.parameters(), *model.classifier.parameters()] if options.train_encoder else []
    of_geometry = list(model.extractor.geometry.parameters()) if model.extractor.geometry is not None else []
    head = [weight for name, weight in model.extractor.named_parameters() if not name.startswith("geometry.")]
    # A layer of a few weights that begin at zero needs larger steps.
    rates = ((head, 1.0), (of_geometry, 10.0), (body, 0.1))
    groups = [{"params": weights, "lr": share * options.learning_rate} for weights, share in rates if weights]
    optimizer = torch.optim.AdamW(groups)
    steps = options.epochs * -(-len(forms) // PAGES_A_STEP)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=steps, pct_start=0.1
    )
    pages = [form.candidates(geometry) for form in forms]
    model.train()
    for _ in range(options.epochs):
        order = shuffled.sample(range(len(forms)), len(forms))
        for first in range(0, len(order), PAGES_A_STEP):
            optimizer.zero_grad()
            for number in order[first : first + PAGES_A_STEP]:
                form, page = forms[number], pages[number]
                loss = torch.zeros(())
                if body:
                    states, hidden = entity_states(model, form)
                    token_logits = model.classifier(hidden).flatten(0, 1)
                    loss = functional.cross_entropy(token_logits, form.labels.flatten(), ignore_index=IGNORED_LABEL)
                else:
                    states = model.dropout(fixed[number])
                _, logits = model.extractor(states, page, form.features if geometry else None)
                loss = loss + functional.cross_entropy(logits, torch.tensor(page.labels))
                (loss / PAGES_A_STEP).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def frozen_states(model: LayoutLMv2ForRelationExtraction, forms: Sequence[Form]) -> list[torch.Tensor]:
    """The states of each form's entities."""
    return [entity_states(model, form)[0] for form in forms]


@torch.no_grad()
def learned_links(model: LayoutLMv2ForRelationExtraction, form: Form, states: torch.Tensor) -> set[Pair]:
    """The links that the model finds between entities with these states."""
    geometry = model.config.relation_geometry
    page = form.candidates(geometry)
    if page.is_placeholder:
        return set()
    _, logits = model.extractor(states, page, form.features if geometry else None)
    return {pair for pair, kind in zip(page.pairs, logits.argmax(-1).tolist(), strict=True) if kind == LINKED}


def scores(found: Sequence[set[Pair]], forms: Sequence[Form]) -> tuple[float, float, float]:
    """F1, precision and recall of links over all forms."""
    right = sum(len(links & form.links) for links, form in zip(found, forms, strict=True))
    precision = right / max(1, sum(map(len, found)))
    recall = right / max(1, sum(len(form.links) for form in forms))
    return 2 * precision * recall / max(1e-9, precision + recall), precision, recall


def main() -> None:
    """Print the precision of geometry's rules, and the table."""
    options = tyro.cli(Options, description=__doc__)
    tokenizer = load_tokenizer(options.model)
    training, dev = (read_forms(options, split, tokenizer) for split in ("train", "dev"))
    rules = ", ".join(f"{rule} {share:.3f}" for rule, share in rule_precision(training).items())
    print(f"geometry's rules on {len(training)} training forms, precision: {rules}\n")
    print("| links on dev | F1 | P | R | F1 of each seed | seconds |\n|---|---|---|---|---|---|")
    by_geometry = [{(link.key, link.value) for link in geometry_links(form)} for form in dev]
    cells = " | ".join(f"{value:.3f}" for value in scores(by_geometry, dev))
    print(f"| geometry | {cells} | | |")
    if not options.seeds:
        return
    encoder = start(options)
    fixed, dev_states = ([] if options.train_encoder else frozen_states(encoder, forms) for forms in (training, dev))
    for name, geometry in (("published head", False), ("head with distances", True)):
        started = time.perf_counter()
        runs = []
        for seed in range(options.seeds):
            model = train(options, training, fixed, geometry, seed)
            states = dev_states or frozen_states(model, dev)
            found = [learned_links(model, form, own) for form, own in zip(dev, states, strict=True)]
            runs.append(scores(found, dev))
        means = " | ".join(f"{mean(values):.3f}" for values in zip(*runs, strict=True))
        seeds = ", ".join(f"{run[0]:.3f}" for run in runs)
        print(f"| {name} | {means} | {seeds} | {(time.perf_counter() - started) / len(runs):.0f} |", flush=True)


if __name__ == "__main__":
    main()
