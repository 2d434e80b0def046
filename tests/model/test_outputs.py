from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.utils import _pytree

from model.outputs import BaseModelOutputWithPooling, TokenClassifierOutput


def test_a_field_is_accessible_by_attribute_name_and_position() -> None:
    logits = torch.zeros(1, 2, 3)
    output = TokenClassifierOutput(logits=logits)
    assert output.logits is output["logits"] is output[0] is output.to_tuple()[0]
    assert output.loss is None
    assert output[:2] == (logits,)


def test_fields_that_are_none_are_not_in_the_tuple_or_the_keys() -> None:
    output = TokenClassifierOutput(loss=torch.tensor(1.0), logits=torch.zeros(1), attentions=(torch.zeros(2),))
    assert list(output.keys()) == ["loss", "logits", "attentions"]
    assert list(output) == list(output.keys())
    assert len(output) == len(output.to_tuple()) == 3
    assert "hidden_states" not in output
    assert output.get("hidden_states", "none") == "none"
    assert dict(output)["loss"] == 1
    with pytest.raises(KeyError):
        output["hidden_states"]


def test_distributed_training_finds_the_tensors() -> None:
    output = BaseModelOutputWithPooling(torch.zeros(1), torch.ones(1), hidden_states=(torch.ones(2), torch.ones(3)))
    leaves, structure = _pytree.tree_flatten(output)
    assert [len(leaf) for leaf in leaves] == [1, 1, 2, 3]
    assert _pytree.tree_unflatten(leaves, structure) == output


def test_an_output_is_a_dictionary() -> None:
    logits = torch.zeros(1)
    output = TokenClassifierOutput(logits=logits)
    assert isinstance(output, dict)
    assert {**output} == dict(output) == {"logits": logits}
    assert list(output.items()) == [("logits", logits)]


def test_assigning_to_one_form_changes_all() -> None:
    output = TokenClassifierOutput(logits=torch.zeros(1))
    loss, logits = torch.tensor(2.0), torch.ones(1)
    output.loss = loss
    output["logits"] = logits
    assert output["loss"] is output[0] is loss
    assert output.logits is output[1] is logits
    assert list(output) == ["loss", "logits"]
    output.loss = None
    assert output.to_tuple() == (logits,) and output.loss is None
    output["more"] = 3
    assert output.more == output["more"] == output[1] == 3


def test_entries_are_not_removed() -> None:
    output = TokenClassifierOutput(logits=torch.zeros(1))
    for change in (lambda: output.pop("logits"), lambda: output.update({}), lambda: output.__delitem__("logits")):
        with pytest.raises(TypeError, match="TokenClassifierOutput"):
            change()


def test_an_output_can_be_copied_and_pickled() -> None:
    output = TokenClassifierOutput(loss=torch.tensor(1.0), attentions=(torch.zeros(2),))
    for copied in (copy.copy(output), copy.deepcopy(output), pickle.loads(pickle.dumps(output))):
        assert type(copied) is TokenClassifierOutput
        assert list(copied) == ["loss", "attentions"] and copied.loss == 1 and copied.logits is None
