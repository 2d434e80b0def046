from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import huggingface_hub.constants
import pytest
from huggingface_hub.errors import HfHubHTTPError

from model import LayoutLMv2Config, LayoutLMv2ForTokenClassification, LayoutLMv2Processor
from tests.model.hub_server import Hub, serve_hub
from tests.model.small_model import small_config


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve_hub() as served:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", served.endpoint)
        yield served


def test_a_model_is_uploaded_with_its_configuration(hub: Hub) -> None:
    model = LayoutLMv2ForTokenClassification(small_config())
    address = model.push_to_hub("me/forms", token="secret")
    assert address.startswith(f"{hub.endpoint}/me/forms/commit/")
    files = hub.repositories["me/forms"]["main"]
    assert set(files) == {"config.json", "model.safetensors"}
    assert json.loads(files["config.json"])["architectures"] == ["LayoutLMv2ForTokenClassification"]
    assert hub.commits[0]["summary"] == "Upload LayoutLMv2ForTokenClassification"
    assert hub.tokens == {"Bearer secret"}


def test_a_processor_and_its_parts_are_uploaded(hub: Hub) -> None:
    processor = LayoutLMv2Processor()
    processor.push_to_hub("me/all")
    processor.tokenizer.push_to_hub("me/tokenizer")
    processor.image_processor.push_to_hub("me/images")
    tokenizer = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"}
    assert set(hub.repositories["me/all"]["main"]) == {"preprocessor_config.json", *tokenizer}
    assert set(hub.repositories["me/tokenizer"]["main"]) == tokenizer
    assert set(hub.repositories["me/images"]["main"]) == {"preprocessor_config.json"}


def test_a_branch_is_created_and_one_that_exists_is_used(hub: Hub) -> None:
    for message in ("first", "second"):
        LayoutLMv2Config().push_to_hub("me/forms", revision="no_ocr", commit_message=message)
    assert set(hub.repositories["me/forms"]["no_ocr"]) == {"config.json"}
    assert hub.repositories["me/forms"]["main"] == {}
    assert [commit["summary"] for commit in hub.commits] == ["first", "second"]


def test_a_refusal_of_the_hub_is_an_error(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        return 403, {"error": "not allowed"}

    monkeypatch.setattr(hub, "answer", refuse)
    with pytest.raises(HfHubHTTPError, match="403"):
        LayoutLMv2Config().push_to_hub("me/forms")
