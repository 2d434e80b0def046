"""Fields of documents: (key, value) pairs that are right or wrong as a whole, such as a receipt's total.

SROIE's task 3 (Huang et al., "ICDAR2019 competition on scanned receipt OCR and information extraction", 2019, section
on task 3): an extracted text is right if its content and its category both equal the ground truth's; precision is over
all extracted texts, recall over all true ones. Kleister-NDA (Stanislawek et al., 2021, section 5, and the corpus's own
README): F1 over upper-cased `key=value` pairs of documents, GEval's MultiLabel-F1; a key may repeat.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from model.word_breaks import join_words
from pipelines.evaluation.metrics.precision_recall import precision_recall
from pipelines.schema import Row

Pair = tuple[str, str]
NormaliseValue = Callable[[str, str], str | None]
"""From a key and the words of an entity to the value as the corpus writes it; None or "" if there is no such value."""

NEAR_WORDS = 3
"""The most words between two pieces of one field, which a line end or a wrong prediction may break."""


def field_key(kind: str) -> str:
    """The key of a kind of entity: `effective_date` for `EFFECTIVE_DATE`."""
    return kind.lower()


def normalize_sroie(value: str) -> str:
    """A field of a receipt for comparison, with white space collapsed.

    The protocol compares strings exactly. The words of the box files are split at white space and joined by single
    spaces, so the width of a gap in the ground truth cannot be known and is no mistake; case and punctuation count.
    """
    return " ".join(value.split())


def lenient_text(value: str) -> str:
    """A field without case, white space and punctuation, to tell misread fields from wrong ones."""
    return "".join(character for character in value.casefold() if character.isalnum())


def normalize_kleister(key: str, value: str) -> Pair:
    """A pair of Kleister-NDA for comparison: upper case, with `_` for spaces and colons, as in `expected.tsv`."""
    return key, "_".join(value.replace(":", " ").replace("_", " ").split()).upper()


def best_fields(entities: Iterable[Row], joined: frozenset[str]) -> dict[str, str]:
    """One value for each key of a page or document: the words of the best-scored entity of that kind.

    Args:
        entities: `entities` of a page row, in the order of the words.
        joined: keys whose value may span several lines: entities of that kind near the best-scored one are pieces of
            the same value, and are joined in the order of the words.
    """
    by_key: dict[str, list[Row]] = defaultdict(list)
    for entity in entities:
        by_key[field_key(entity["label"])].append(entity)
    fields = {}
    for key, candidates in by_key.items():
        best = max(range(len(candidates)), key=lambda index: (candidates[index]["score"], -index))
        first, last = best, best
        if key in joined:
            while first > 0 and _near(candidates[first - 1], candidates[first]):
                first -= 1
            while last + 1 < len(candidates) and _near(candidates[last], candidates[last + 1]):
                last += 1
        fields[key] = join_words([entity["text"] for entity in candidates[first : last + 1]])
    return fields


def _near(before: Row, after: Row) -> bool:
    return after["first_word"] - before["last_word"] - 1 <= NEAR_WORDS


def document_values(pages: Iterable[Row], several_values: frozenset[str], normalise: NormaliseValue) -> list[Pair]:
    """(key, value) pairs of a document from the entities of its pages.

    Args:
        pages: page rows of one document; failed ones have no entities.
        several_values: keys that may repeat: every distinct value counts. Of other keys only the best-scored one does.
        normalise: from words to a value as the corpus writes it.
    """
    several: set[Pair] = set()
    best: dict[str, tuple[float, str]] = {}
    for page in pages:
        for entity in page.get("entities") or ():
            key = field_key(entity["label"])
            value = normalise(key, entity["text"])
            if not value:
                continue
            if key in several_values:
                several.add(normalize_kleister(key, value))
            elif key not in best or entity["score"] > best[key][0]:
                best[key] = entity["score"], value
    return sorted(several | {normalize_kleister(key, value) for key, (_, value) in best.items()})


def score_pairs(true: Mapping[str, Sequence[Pair]], predicted: Mapping[str, Sequence[Pair]]) -> dict[str, Any]:
    """Precision, recall and F1 over the pairs of documents; repeated pairs count as often as both sides have them.

    Args:
        true: pairs by document, ready for comparison.
        predicted: pairs by document; a document that is missing predicts nothing.

    Returns:
        `precision`, `recall`, `f1` (0-1), `support` (true pairs), `predicted`, `right`, and `by_key`: the same for
        each key, with `accuracy`: of the documents that have the key, the share with exactly its values predicted.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for document in true.keys() | predicted.keys():
        true_pairs, found_pairs = Counter(true.get(document, ())), Counter(predicted.get(document, ()))
        for name, pairs in (
            ("support", true_pairs),
            ("predicted", found_pairs),
            ("right", true_pairs & found_pairs),
        ):
            for (key, _), count in pairs.items():
                counts[key][name] += count
        for key in {key for key, _ in true_pairs}:
            counts[key]["documents"] += 1
            counts[key]["whole"] += _of_key(true_pairs, key) == _of_key(found_pairs, key)
    by_key = {
        key: {
            **_figures(count),
            "accuracy": count["whole"] / count["documents"] if count["documents"] else 0.0,
        }
        for key, count in sorted(counts.items())
    }
    return {**_figures(sum(counts.values(), Counter())), "by_key": by_key}


def _of_key(pairs: Counter[Pair], key: str) -> dict[Pair, int]:
    return {pair: count for pair, count in pairs.items() if pair[0] == key}


def _figures(count: Counter[str]) -> dict[str, Any]:
    right, predicted, support = count["right"], count["predicted"], count["support"]
    return {**precision_recall(right, predicted, support), "right": right}
