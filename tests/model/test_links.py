"""Links of keys and values by the geometry of their boxes."""

from __future__ import annotations

from pathlib import Path

from model.decode import Box, Entity, union_box
from model.links import Pair, pair_entities
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import labelled_row
from pipelines.evaluation.metrics.pairs import PairCounts

HEIGHT = 10


def page(*entities: tuple[str, str, int, int]) -> list[Pair]:
    """The pairs of a square page of entities: kind, text, left and top; each letter is 6 wide. Lines end at "/"."""
    boxes: list[Box] = []
    found: list[Entity] = []
    for kind, text, left, top in entities:
        first = len(boxes)
        for row, line in enumerate(text.split("/")):
            x = left
            for word in line.split():
                y = top + 12 * row
                boxes.append((x, y, x + 6 * len(word), y + HEIGHT))
                x += 6 * len(word) + 4
        words = list(range(first, len(boxes)))
        plain = " ".join(text.replace("/", " ").split())
        found.append(Entity(kind, plain, union_box(boxes[first:]), 0.9, first, len(boxes) - 1, words))
    return pair_entities(found, boxes, 1.0)


def links(*entities: tuple[str, str, int, int]) -> list[tuple[str, str]]:
    return [(pair.key, pair.value) for pair in page(*entities)]


K, V, H = "QUESTION", "ANSWER", "HEADER"


def test_a_value_belongs_to_the_nearest_key_to_its_left():
    assert links((K, "Name", 0, 0), (V, "Ann", 100, 0), (K, "Date", 200, 0), (V, "May", 300, 0)) == [
        ("Name", "Ann"),
        ("Date", "May"),
    ]


def test_a_value_stands_a_little_above_or_below_its_key():
    assert links((K, "Name", 0, 5), (V, "Ann", 60, 0)) == [("Name", "Ann")]


def test_without_a_key_to_the_left_the_nearest_above_that_overlaps_counts():
    assert links((K, "Name", 0, 0), (K, "Date", 200, 0), (V, "May", 205, 14), (V, "Ann", 3, 14)) == [
        ("Name", "Ann"),
        ("Date", "May"),
    ]


def test_a_key_over_a_column_of_values_has_all_of_them_from_the_top():
    assert links((K, "City", 0, 0), (V, "Oslo", 0, 14), (V, "Rome", 0, 28), (V, "Bern", 0, 42)) == [
        ("City", "Oslo"),
        ("City", "Rome"),
        ("City", "Bern"),
    ]


def test_a_column_of_amounts_holds_together_by_its_right_edge():
    amounts = ("9.00", "1,234.00", "7.00", "12,345.00", "14.00")
    column = [(V, amount, 500 - 6 * len(amount), 14 + 14 * row) for row, amount in enumerate(amounts)]
    assert links((K, "Amount", 464, 0), *column) == [("Amount", amount) for amount in amounts]


def test_values_listed_under_the_value_of_a_key_to_the_left_are_values_of_that_key():
    above = (K, "Remarks", 300, 0)
    assert links(above, (K, "Copies", 200, 50), (V, "Ann", 300, 50), (V, "Bob", 300, 64)) == [
        ("Copies", "Ann"),
        ("Copies", "Bob"),
    ]


def test_a_cell_of_a_table_belongs_to_the_key_of_its_row_and_of_its_column():
    table = (
        (K, "1990", 100, 0), (K, "1991", 200, 0),
        (K, "Sales", 0, 20), (V, "12", 105, 20), (V, "14", 205, 20),
        (K, "Costs", 0, 40), (V, "7", 105, 40), (V, "9", 205, 40),
    )  # fmt: skip
    assert links(*table) == [
        ("1990", "12"), ("1990", "7"), ("1991", "14"), ("1991", "9"),
        ("Sales", "12"), ("Sales", "14"), ("Costs", "7"), ("Costs", "9"),
    ]  # fmt: skip


def test_a_key_with_a_value_on_its_line_heads_no_column():
    assert links((K, "From", 0, 0), (V, "Ann", 60, 0), (K, "To", 0, 14), (V, "Bob", 60, 14)) == [
        ("From", "Ann"),
        ("To", "Bob"),
    ]


def test_a_value_just_below_a_key_does_not_belong_to_a_far_one_that_has_a_value():
    assert links((K, "Name", 0, 9), (V, "Ann", 60, 9), (K, "Lot", 300, 0), (V, "C19", 300, 14)) == [
        ("Name", "Ann"),
        ("Lot", "C19"),
    ]


def test_a_value_indented_under_a_key_belongs_to_it():
    assert links((K, "Title", 0, 0), (V, "A study", 60, 18)) == [("Title", "A study")]


def test_a_value_of_several_lines_is_one_value_and_its_first_line_decides():
    assert links(
        (K, "Address", 0, 0), (V, "12 Main St./Springfield", 60, 0), (K, "Phone", 0, 12), (V, "555", 300, 12)
    ) == [
        ("Address", "12 Main St. Springfield"),
        ("Phone", "555"),
    ]


def test_a_value_that_no_rule_applies_to_and_a_key_without_value_give_no_pair():
    assert links((V, "lonely", 500, 0), (K, "Name", 0, 300)) == []


def test_a_single_heading_in_letters_of_the_keys_is_a_section():
    pairs = page((H, "Seller", 0, 0), (K, "Name", 0, 14), (V, "Ann", 60, 14))
    assert [pair.section for pair in pairs] == ["Seller"]


def test_the_heading_over_a_key_is_its_section_and_the_title_of_the_page_is_none():
    subtitle = (H, "revised", 200, 8)
    title, heading = (H, "ORDER FORM", 200, 0), (H, "Buyer", 0, 60)
    pairs = page(title, subtitle, (K, "No", 0, 20), (V, "7", 60, 20), heading, (K, "Name", 0, 80), (V, "Ann", 60, 80))
    assert [(pair.section, pair.key) for pair in pairs] == [(None, "No"), ("Buyer", "Name")]


def test_entities_of_other_kinds_are_pairs_by_themselves():
    (pair,) = page(("COMPANY", "ACME Ltd", 0, 0))
    assert (pair.key, pair.value, pair.key_box, pair.key_words, pair.value_words) == (
        "COMPANY",
        "ACME Ltd",
        None,
        [],
        [0, 1],
    )
    assert pair.score == 0.9


def test_a_pair_has_the_boxes_and_words_of_both_and_a_score_below_either():
    (pair,) = page((K, "Full name", 0, 0), (V, "Ann Berg", 100, 0))
    assert (pair.key_words, pair.value_words) == ([0, 1], [2, 3])
    assert (pair.key_box, pair.value_box) == ((0, 0, 52, 10), (100, 0, 146, 10))
    assert 0 < pair.score < 0.81


def test_small_letters_of_labels_and_boxes_without_height_are_taken():
    entities = [
        Entity("question", "a", (0, 5, 9, 5), 1.0, 0, 0, [0]),
        Entity("answer", "b", (20, 5, 29, 5), 1.0, 1, 1, [1]),
    ]
    assert len(pair_entities(entities, [(0, 5, 9, 5), (20, 5, 29, 5)], 0.7)) <= 1
    assert pair_entities([], [], 0.7) == []


def test_a_page_of_thousands_of_entities_is_linked_in_seconds():
    """The rules look at each value's neighbours at once; pair by pair, a hostile page would take minutes."""
    cells = [(K if column % 2 == 0 else V, "x", 20 * column, row) for row in range(0, 1000, 12) for column in range(48)]
    assert len(page(*cells)) == 84 * 24


def test_links_of_real_forms_over_given_entities(shared_directory: Path):
    data = shared_directory / "corpora" / "funsd"
    counts = PairCounts()
    for page in read_corpus("funsd", str(data), "train+dev", "token-classification").pages:
        row = labelled_row(page)
        counts.add(
            {**row, "words": page.words, "boxes": page.boxes, "width": 77, "height": 100, "status": "ok", "pairs": []}
        )
    values = counts.values()
    assert values is not None
    assert values["given_entities"]["f1"] > 0.9, "the nearest key to the left, else above, has .82"
