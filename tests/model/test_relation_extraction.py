from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from model.config import LayoutLMv2Config
from model.heads import LayoutLMv2ForTokenClassification
from model.pair_geometry import PAIR_FEATURES, pair_features
from model.relation_decoder import RelationDecoder, candidates
from model.relation_extraction import LayoutLMv2ForRelationExtraction
from tests.model.conftest import Golden

PAGES = [
    {"start": [3, 7, 10, 12], "end": [4, 8, 11, 13], "label": [1, 2, 0, 2]},
    {"start": [2, 5, 9], "end": [5, 9, 10], "label": [1, 1, 2]},
]
LINKS = [{"head": [0], "tail": [3]}, {"head": [1, 0], "tail": [2, 2]}]
NO_LINKS: dict[str, list[int]] = {"head": [], "tail": []}
NO_ENTITIES: dict[str, list[int]] = {"start": [], "end": [], "label": []}


def model_of(tiny: Golden, **options: Any) -> LayoutLMv2ForRelationExtraction:
    torch.manual_seed(0)
    return LayoutLMv2ForRelationExtraction(tiny.config(**options)).eval()


@torch.no_grad()
def test_pairs_logits_and_loss_equal_the_published_code(shared_directory: Path) -> None:
    folder = shared_directory / "goldens" / "layoutxlm"
    given = json.loads((folder / "relations.json").read_text())
    tensors = load_file(folder / "relations.safetensors")
    config = LayoutLMv2Config(hidden_size=48, num_attention_heads=4, coordinate_size=8, shape_size=8)
    decoder = RelationDecoder(config).eval()
    decoder.load_state_dict(
        {name.split(".", 1)[1]: value for name, value in tensors.items() if name.startswith("extractor.")}
    )
    loss = torch.zeros(())
    for number, (entities, relations) in enumerate(zip(given["entities"], given["relations"], strict=True)):
        page = candidates(entities, relations)
        pairs, logits = decoder(tensors["in.hidden"][number], page)
        labels = torch.tensor(page.labels)
        assert torch.equal(pairs, tensors[f"pairs.{number}"])
        assert torch.equal(labels, tensors[f"labels.{number}"])
        torch.testing.assert_close(logits, tensors[f"logits.{number}"], rtol=0, atol=1e-6)
        loss += functional.cross_entropy(logits, labels)
    torch.testing.assert_close(loss, tensors["loss"], rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_pair_is_scored_from_first_tokens_and_labels_by_a_biaffine_form(tiny: Golden) -> None:
    model = model_of(tiny)
    output = model(**tiny.inputs(), entities=PAGES, output_hidden_states=True)
    extractor = model.extractor
    head, tail = (
        torch.cat([output.hidden_states[-1][0, token], extractor.entity_emb.weight[label]])
        for token, label in ((3, 1), (12, 2))
    )
    head, tail = extractor.ffnn_head(head), extractor.ffnn_tail(tail)
    bilinear = torch.stack([head @ weight @ tail for weight in extractor.rel_classifier.bilinear.weight])
    expected = bilinear + extractor.rel_classifier.linear(torch.cat([head, tail]))
    assert output.pairs[0].tolist() == [[0, 1], [0, 3]]
    torch.testing.assert_close(output.logits[0][1], expected)


def test_the_loss_is_the_sum_over_pages_of_the_mean_over_pairs_and_reaches_every_weight(tiny: Golden) -> None:
    model = model_of(tiny)
    output = model(**tiny.inputs(), entities=PAGES, relations=LINKS)
    assert [pairs.tolist() for pairs in output.pairs] == [[[0, 3], [0, 1]], [[0, 2], [1, 2]]]
    first = functional.cross_entropy(output.logits[0], torch.tensor([1, 0]))
    second = functional.cross_entropy(output.logits[1], torch.tensor([1, 1]))
    torch.testing.assert_close(output.loss, first + second)
    output.loss.backward()
    for name, weight in model.named_parameters():
        if name.startswith("extractor.") or "encoder.layer.0" in name:
            assert weight.grad is not None and weight.grad.abs().sum() > 0, name


@torch.no_grad()
def test_predicted_relations_have_the_published_form(tiny: Golden) -> None:
    model = model_of(tiny)
    model.extractor.rel_classifier.linear.bias.copy_(torch.tensor([-100.0, 100.0]))
    output = model(**tiny.inputs(), entities=PAGES)
    assert output.loss is None and output.entities is PAGES
    assert output.pred_relations[1] == [
        {"head": (2, 5), "head_id": 0, "head_type": 1, "tail": (9, 10), "tail_id": 2, "tail_type": 2, "type": 1},
        {"head": (5, 9), "head_id": 1, "head_type": 1, "tail": (9, 10), "tail_id": 2, "tail_type": 2, "type": 1},
    ]
    model.extractor.rel_classifier.linear.bias.copy_(torch.tensor([100.0, -100.0]))
    assert model(**tiny.inputs(), entities=PAGES).pred_relations == [[], []]


@torch.no_grad()
def test_a_page_without_a_possible_pair_has_an_unlinked_placeholder_that_is_never_predicted(tiny: Golden) -> None:
    model = model_of(tiny)
    model.extractor.rel_classifier.linear.bias.copy_(torch.tensor([-100.0, 100.0]))
    values_only = {"start": [4, 6, 8], "end": [5, 7, 9], "label": [2, 2, 0]}
    output = model(**tiny.inputs(), entities=[NO_ENTITIES, values_only], relations=[NO_LINKS, NO_LINKS])
    assert [pairs.tolist() for pairs in output.pairs] == [[[0, 1]], [[0, 1]]]
    assert output.pred_relations == [[], []]
    assert output.loss.isfinite()
    assert candidates(NO_ENTITIES, NO_LINKS).starts == [0, 0]
    assert candidates(values_only, NO_LINKS).starts == [4, 6, 8]


def test_a_key_with_one_value_is_a_pair() -> None:
    page = candidates({"start": [4, 6], "end": [5, 7], "label": [1, 2]}, {"head": [0], "tail": [1]})
    assert (page.pairs, page.labels, page.starts) == ([(0, 1)], [1], [4, 6])


def test_a_value_before_its_key_is_a_candidate_only_where_both_orders_are() -> None:
    entities = {"start": [4, 6, 8], "end": [5, 7, 9], "label": [2, 1, 2]}
    link = {"head": [1], "tail": [0]}
    assert candidates(entities, link).pairs == [(1, 2)]
    assert candidates(entities, link, both_orders=True).pairs == [(1, 0), (1, 2)]


@torch.no_grad()
def test_a_saved_model_answers_as_before_and_the_caller_keeps_its_entities(tiny: Golden, tmp_path: Path) -> None:
    model = model_of(tiny)
    before = model(**tiny.inputs(), entities=PAGES)
    model.save_pretrained(tmp_path)
    again = LayoutLMv2ForRelationExtraction.from_pretrained(tmp_path)
    assert not again.new_tensors
    for one, other in zip(before.logits, again(**tiny.inputs(), entities=PAGES).logits, strict=True):
        torch.testing.assert_close(one, other)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["LayoutLMv2ForRelationExtraction"]
    assert not {"relation_geometry", "relation_token_labels"} & config.keys()


def test_weights_have_the_published_names(tiny: Golden) -> None:
    names = {name for name in model_of(tiny).state_dict() if not name.startswith("layoutlmv2.")}
    sides = {
        f"extractor.ffnn_{side}.{layer}.{part}"
        for side in ("head", "tail")
        for layer in (0, 3)
        for part in ("weight", "bias")
    }
    classifier = {f"extractor.rel_classifier.{name}" for name in ("bilinear.weight", "linear.weight", "linear.bias")}
    assert names == {"extractor.entity_emb.weight", *sides, *classifier}


@torch.no_grad()
def test_geometry_is_added_to_the_scores_only_where_the_configuration_says_so(tiny: Golden, tmp_path: Path) -> None:
    plain, with_geometry = model_of(tiny), model_of(tiny, relation_geometry=True)
    boxes = [
        [[0, 0, 50, 10], [60, 0, 90, 10], [0, 50, 9, 60], [0, 20, 50, 30]],
        [[0, 0, 9, 9], [0, 20, 9, 29], [20, 20, 40, 29]],
    ]
    features = [torch.from_numpy(pair_features(box, page["label"])) for box, page in zip(boxes, PAGES, strict=True)]
    untouched = with_geometry(**tiny.inputs(), entities=PAGES, pair_features=features)
    for one, other in zip(plain(**tiny.inputs(), entities=PAGES).logits, untouched.logits, strict=True):
        torch.testing.assert_close(one, other)
    same_line = PAIR_FEATURES.index("same_line")
    with_geometry.extractor.geometry.weight[1, same_line] = 5.0
    moved = with_geometry(**tiny.inputs(), entities=PAGES, pair_features=features)
    torch.testing.assert_close(moved.logits[0] - untouched.logits[0], torch.tensor([[0.0, 5.0], [0.0, 0.0]]))
    with_geometry.save_pretrained(tmp_path)
    read = LayoutLMv2ForRelationExtraction.from_pretrained(tmp_path)
    assert read.config.relation_geometry and not read.new_tensors
    with pytest.raises(ValueError, match="pair_features are needed"):
        read(**tiny.inputs(), entities=PAGES)
    with pytest.raises(ValueError, match="leave them out"):
        plain(**tiny.inputs(), entities=PAGES, pair_features=features)
    with pytest.raises(ValueError, match=r"expected \[\[4, 4, 9\], \[3, 3, 9\]\]"):
        read(**tiny.inputs(), entities=PAGES, pair_features=features[::-1])


def test_entities_and_links_are_learned_together_over_one_pass(tiny: Golden, tmp_path: Path) -> None:
    tokens = LayoutLMv2ForTokenClassification(tiny.config(num_labels=7)).eval()
    tokens.save_pretrained(tmp_path)
    model = LayoutLMv2ForRelationExtraction.from_pretrained(tmp_path, relation_token_labels=True)
    assert all(name.startswith("extractor.") for name in model.new_tensors)
    labels = tiny.tensors["in.token_labels"]
    passes: list[Any] = []
    model.layoutlmv2.encoder.register_forward_hook(lambda *arguments: passes.append(arguments))
    both = model(**tiny.inputs(), labels=labels, entities=PAGES, relations=LINKS)
    assert len(passes) == 1
    of_tokens = tokens(**tiny.inputs(), labels=labels)
    of_links = model(**tiny.inputs(), entities=PAGES, relations=LINKS)
    torch.testing.assert_close(both.token_logits, of_tokens.logits)
    torch.testing.assert_close(both.loss, of_tokens.loss + of_links.loss)
    only_entities = model(**tiny.inputs())
    assert only_entities.pairs is None and only_entities.token_logits is not None


@pytest.mark.parametrize(
    ("entities", "relations", "message"),
    [
        (None, None, "entities are missing"),
        (PAGES[:1], None, "given for 1 pages, but the batch has 2"),
        (PAGES, LINKS[:1], "relations are given for 1 pages"),
        ([PAGES[0], {"start": [1], "end": [2], "label": []}], None, "page 1: start, end and label"),
        ([PAGES[0], {"start": [96], "end": [97], "label": [0]}], None, "page 1: an entity starts at token 96 of 96"),
        ([{"start": [-1], "end": [1], "label": [0]}, PAGES[1]], None, "page 0: an entity starts at token -1"),
        ([{"start": [1], "end": [2], "label": [3]}, PAGES[1]], None, "page 0: an entity has the label 3"),
        (PAGES, [LINKS[0], {"head": [0], "tail": [3]}], "page 1: a link leads to an entity that is none of its 3"),
        (PAGES, [{"head": [0], "tail": []}, LINKS[1]], "page 0: its links have 1 heads and 0 tails"),
    ],
)
def test_entities_and_links_that_do_not_fit_are_refused_by_page(
    entities: Any, relations: Any, message: str, tiny: Golden
) -> None:
    with pytest.raises(ValueError, match=message):
        model_of(tiny)(**tiny.inputs(), entities=entities, relations=relations)


def test_a_head_mask_is_refused(tiny: Golden) -> None:
    with pytest.raises(ValueError, match="head_mask"):
        model_of(tiny)(**tiny.inputs(), entities=PAGES, head_mask=torch.ones(2, 4))
