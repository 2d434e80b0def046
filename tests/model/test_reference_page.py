"""The examples of the reference's page, in its order, with the import line changed.

The hub's cache has a small model under the published name, in the revisions `main` and `no_ocr`; the data sets of the
examples are local folders, from which `datasets` reads them by the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

import model as model_package
from model import LayoutLMv2ForTokenClassification, LayoutLMv2ImageProcessor, LayoutLMv2Model, LayoutLMv2Tokenizer
from tests.model.small_model import small_config

NAME = "microsoft/layoutlmv2-base-uncased"
DOCUMENT = "name_of_your_document - can be a png, jpg, etc. of your documents (PDFs must be converted to images)."
LINES = ["11:14 to 11:39 a.m.", "Coffee Break", "Coffee will be served for men", "and women in the lobby"]
FORM_TAGS = ["O", "B-HEADER", "I-HEADER", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER"]
PAGE_CLASSES = ["letter", "form", "email", "handwritten", "advertisement"]
KEYS = ["input_ids", "token_type_ids", "attention_mask", "bbox", "image"]

Example = Callable[[str], dict[str, Any]]


def document() -> Image.Image:
    page = Image.new("RGB", (600, 400), "white")
    for index, line in enumerate(LINES):
        ImageDraw.Draw(page).text((40, 40 + 80 * index), line, fill="black", font=ImageFont.load_default(32))
    return page


def write_hub_cache(cache: Path) -> None:
    """The layout of the hub's cache: a snapshot for each commit, and the commit of each revision.

    The published model has no head and two labels.
    """
    torch.manual_seed(0)
    repository = cache / f"models--{NAME.replace('/', '--')}"
    for revision, commit in (("main", "a" * 40), ("no_ocr", "b" * 40)):
        folder = repository / "snapshots" / commit
        LayoutLMv2Model(small_config("question-answering")).save_pretrained(folder)
        LayoutLMv2Tokenizer().save_pretrained(folder)
        LayoutLMv2ImageProcessor(apply_ocr=revision == "main").save_pretrained(folder)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / revision).write_text(commit)


def write_data_sets(folder: Path) -> None:
    document().save(folder / DOCUMENT, format="PNG")
    words, boxes = ["Coffee", "Break", "11:14"], [[67, 300, 150, 350], [160, 300, 240, 350], [67, 100, 150, 150]]
    texts = datasets.List(datasets.Value("string"))
    forms = datasets.Features(
        {
            "words": texts,
            "bboxes": datasets.List(datasets.List(datasets.Value("int64"))),
            "ner_tags": datasets.List(datasets.ClassLabel(names=FORM_TAGS)),
            "image_path": datasets.Value("string"),
        }
    )
    form = {"words": [words], "bboxes": [boxes], "ner_tags": [[3, 4, 5]], "image_path": [str(folder / DOCUMENT)]}
    pages = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=PAGE_CLASSES)})
    page = {"image": [document()], "label": [1]}
    for name, split, content, features in (
        ("nielsr/funsd", "test", form, forms),
        ("hf-internal-testing/fixtures_docvqa", "test", page, pages),
        ("aharley/rvl_cdip", "train", page, pages),
    ):
        (folder / name).mkdir(parents=True)
        datasets.Dataset.from_dict(content, features=features).to_parquet(folder / name / f"{split}.parquet")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """Runs an example with the import line changed, in a folder with the documents and data sets that it names.

    The result is the example's variables. An example that uses `model` before it builds one has a model.
    """
    folder = tmp_path_factory.mktemp("notebook")
    write_hub_cache(folder / "hub")
    write_data_sets(folder)
    model = LayoutLMv2ForTokenClassification(small_config("token-classification"))

    def execute(example: str) -> dict[str, Any]:
        variables: dict[str, Any] = {"model": model}
        # A model of the published size is only built: without memory for its weights.
        with torch.device("meta") if "LayoutLMv2Config()" in example else nullcontext():
            exec(example.replace("from transformers import", "from model import"), variables)
        return variables

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder / "hub"))
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
        yield execute


OPEN = f"""
from PIL import Image
from transformers import LayoutLMv2Processor
image = Image.open({DOCUMENT!r}).convert("RGB")
"""
WITH_OCR = OPEN + f"processor = LayoutLMv2Processor.from_pretrained({NAME!r})\n"
WITHOUT_OCR = (
    OPEN
    + f"processor = LayoutLMv2Processor.from_pretrained({NAME!r}, revision='no_ocr')\n"
    + "words, boxes = ['hello', 'world'], [[1, 2, 3, 4], [5, 6, 7, 8]]\n"
)


def test_boxes_are_normalised_by_the_size_of_the_image(run: Example) -> None:
    variables = run(
        OPEN
        + """
def normalize_bbox(bbox, width, height):
    return [int(1000 * (side / total)) for side, total in zip(bbox, (width, height, width, height))]
width, height = image.size
box = normalize_bbox((60, 40, 600, 400), width, height)
"""
    )
    assert variables["box"] == [100, 100, 1000, 1000]


def test_a_processor_is_made_of_an_image_processor_and_a_tokenizer(run: Example) -> None:
    variables = run(
        f"""
from transformers import LayoutLMv2ImageProcessor, LayoutLMv2Processor, LayoutLMv2TokenizerFast
image_processor = LayoutLMv2ImageProcessor()  # apply_ocr is set to True by default
tokenizer = LayoutLMv2TokenizerFast.from_pretrained({NAME!r})
processor = LayoutLMv2Processor(image_processor, tokenizer)
"""
    )
    assert variables["processor"].image_processor.apply_ocr
    assert variables["processor"].tokenizer is variables["tokenizer"]


def test_use_case_1_reads_the_words(run: Example) -> None:
    encoding = run(WITH_OCR + "encoding = processor(image, return_tensors='pt')")["encoding"]
    assert list(encoding.keys()) == KEYS
    assert "coffee" in encoding.tokens()


def test_use_case_2_takes_words_and_boxes(run: Example) -> None:
    call = "encoding = processor(image, words, boxes=boxes, return_tensors='pt').to(model.device)"
    encoding = run(WITHOUT_OCR + call)["encoding"]
    assert list(encoding.keys()) == KEYS
    assert encoding.tokens() == ["[CLS]", "hello", "world", "[SEP]"]


def test_use_case_3_takes_word_labels(run: Example) -> None:
    call = "encoding = processor(image, words, boxes=boxes, word_labels=[1, 2], return_tensors='pt').to(model.device)"
    encoding = run(WITHOUT_OCR + call)["encoding"]
    assert list(encoding.keys()) == ["input_ids", "token_type_ids", "attention_mask", "bbox", "labels", "image"]
    assert encoding.labels.tolist() == [[-100, 1, 2, -100]]


def test_use_case_4_takes_a_question(run: Example) -> None:
    call = """encoding = processor(image, "What's his name?", return_tensors="pt").to(model.device)"""
    encoding = run(WITH_OCR + call)["encoding"]
    assert list(encoding.keys()) == KEYS
    assert encoding.tokens()[:7] == ["[CLS]", "what", "'", "s", "his", "name", "?"]
    assert "coffee" in encoding.tokens()


def test_use_case_5_takes_a_question_and_words(run: Example) -> None:
    call = (
        """encoding = processor(image, "What's his name?", words, boxes=boxes, return_tensors="pt").to(model.device)"""
    )
    encoding = run(WITHOUT_OCR + call)["encoding"]
    assert list(encoding.keys()) == KEYS
    assert encoding.tokens()[-4:] == ["[SEP]", "hello", "world", "[SEP]"]


def test_a_model_is_built_from_a_configuration(run: Example) -> None:
    variables = run(
        """
from transformers import LayoutLMv2Config, LayoutLMv2Model
configuration = LayoutLMv2Config()
model = LayoutLMv2Model(configuration)
configuration = model.config
"""
    )
    assert variables["configuration"].hidden_size == 768
    assert variables["model"].get_input_embeddings().weight.shape == (30522, 768)


def test_the_base_model_encodes_an_image(run: Example) -> None:
    variables = run(
        f"""
from transformers import AutoProcessor, LayoutLMv2Model, set_seed
from datasets import load_dataset
set_seed(0)
processor = AutoProcessor.from_pretrained({NAME!r})
model = LayoutLMv2Model.from_pretrained({NAME!r})
dataset = load_dataset("hf-internal-testing/fixtures_docvqa")
image = dataset["test"][0]["image"]
encoding = processor(image, return_tensors="pt")
outputs = model(**encoding)
last_hidden_states = outputs.last_hidden_state
"""
    )
    assert variables["last_hidden_states"].shape == (1, variables["encoding"].input_ids.shape[1] + 49, 128)


def test_a_page_is_classified(run: Example) -> None:
    variables = run(
        f"""
import torch
from transformers import AutoProcessor, LayoutLMv2ForSequenceClassification, set_seed
from datasets import load_dataset
set_seed(0)
dataset = load_dataset("aharley/rvl_cdip", split="train", streaming=True)
data = next(iter(dataset))
image = data["image"].convert("RGB")
processor = AutoProcessor.from_pretrained({NAME!r})
model = LayoutLMv2ForSequenceClassification.from_pretrained(
    {NAME!r}, num_labels=dataset.info.features["label"].num_classes
)
encoding = processor(image, return_tensors="pt")
outputs = model(**encoding, labels=torch.tensor([data["label"]]))
loss, logits = outputs.loss, outputs.logits
predicted_idx = logits.argmax(dim=-1).item()
predicted_answer = dataset.info.features["label"].names[4]
"""
    )
    assert variables["logits"].shape == (1, 5) and variables["loss"].item() > 0
    assert variables["predicted_answer"] == "advertisement"


def test_tokens_are_classified(run: Example) -> None:
    variables = run(
        f"""
from PIL import Image
from transformers import AutoProcessor, LayoutLMv2ForTokenClassification, set_seed
from datasets import load_dataset
set_seed(0)
datasets = load_dataset("nielsr/funsd", split="test")
labels = datasets.features["ner_tags"].feature.names
id2label = {{v: k for v, k in enumerate(labels)}}
processor = AutoProcessor.from_pretrained({NAME!r}, revision="no_ocr")
model = LayoutLMv2ForTokenClassification.from_pretrained({NAME!r}, num_labels=len(labels))
data = datasets[0]
image = Image.open(data["image_path"]).convert("RGB")
encoding = processor(
    image,
    data["words"],
    boxes=data["bboxes"],
    word_labels=data["ner_tags"],
    padding="max_length",
    truncation=True,
    return_tensors="pt",
)
outputs = model(**encoding)
logits, loss = outputs.logits, outputs.loss
predicted_token_class_ids = logits.argmax(-1)
predicted_tokens_classes = [id2label[t.item()] for t in predicted_token_class_ids[0]]
"""
    )
    assert variables["logits"].shape == (1, 512, 7) and variables["loss"].item() > 0
    assert set(variables["predicted_tokens_classes"]) <= set(FORM_TAGS)


def test_a_question_is_answered(run: Example) -> None:
    variables = run(
        f"""
import torch
from transformers import AutoProcessor, LayoutLMv2ForQuestionAnswering, set_seed
from datasets import load_dataset
set_seed(0)
processor = AutoProcessor.from_pretrained({NAME!r})
model = LayoutLMv2ForQuestionAnswering.from_pretrained({NAME!r})
image = load_dataset("hf-internal-testing/fixtures_docvqa")["test"][0]["image"]
encoding = processor(image, "When is coffee break?", return_tensors="pt")
outputs = model(**encoding)
start, end = outputs.start_logits.argmax(-1).item(), outputs.end_logits.argmax(-1).item()
answer = processor.tokenizer.decode(encoding.input_ids.squeeze()[start : end + 1])
trained = model(**encoding, start_positions=torch.tensor([7]), end_positions=torch.tensor([14]))
"""
    )
    assert isinstance(variables["answer"], str)
    assert variables["trained"].loss.item() > 0
    assert torch.equal(variables["trained"].start_logits, variables["outputs"].start_logits)


def test_every_code_block_of_the_page_runs_as_it_is_written(run: Example, shared_directory: Path) -> None:
    page = (shared_directory / "reference" / "layoutlmv2.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 14
    names: set[str] = set()
    earlier = ""
    for block in blocks:
        code = re.sub(r"^(>>>|\.\.\.) ?", "", block, flags=re.MULTILINE) if block.startswith(">>>") else block
        lines = [line for line in code.splitlines() if not re.match(r"^\(?'|^\(\d|^\[|^torch\.Size", line)]
        code = "\n".join(lines)
        # The last block goes on from the one before it.
        variables = run(f"{earlier}\n{code}" if "import" not in code and "encoding" in code else code)
        names |= variables.keys()
        earlier = code
    assert {"normalize_bbox", "configuration", "predicted_answer_span_end", "predicted_tokens_classes"} <= names
    assert hasattr(model_package, "set_seed")
