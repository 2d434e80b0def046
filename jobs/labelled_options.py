"""How labelled pages are read and the model is run: the options of the jobs that measure a model."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.cli import require_positive
from model.decoding import DecodeChoice
from model.ocr.engine import EngineChoice, OcrOptions
from model.runtimes.runtime import DtypeChoice, RuntimeChoice
from pipelines.evaluation.options import EvaluateOptions
from pipelines.schema import Task
from pipelines.stages.infer import InferOptions
from pipelines.stages.rasterize import RasterizeOptions, TextChoice
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import normalise_uri


@dataclass(frozen=True)
class LabelledPagesOptions:
    """Options of a job that runs a model over labelled pages."""

    language: str | None = None
    """Languages of the forms, where the corpus has several (xfund): one such as de, several as in de,fr, or all."""
    limit: int | None = None
    """Take only the first pages of the split, this many."""
    strict: bool = False
    """End at a broken annotation; by default it is reported, and what it spoils is left out."""
    stride: int = 128
    """Tokens that neighbouring windows share on pages of more than 512 tokens."""
    text: TextChoice = "auto"
    """Source of the words where the corpus has none. auto: a page's text layer if it can be trusted, else OCR; ocr:
    always OCR; layer: never OCR."""
    ocr_lang: str = "eng"
    """Languages by Tesseract's names, such as eng or deu+fra, where words are read."""
    ocr_engine: EngineChoice = "auto"
    """What reads words: auto, ppocr, tesserocr+ppocr, tesserocr or pytesseract, as in jobs.extract."""
    decode: DecodeChoice = "auto"
    """What gets a label: words, segments, or auto, as in jobs.extract."""
    dtype: DtypeChoice = "auto"
    """Dtype of the model; auto is bfloat16 on a GPU and on a CPU that has it, where labels stay the same, else
    float32."""
    runtime: RuntimeChoice = "auto"
    """What runs the model. auto: what --model is made for, PyTorch for a checkpoint, and OpenVINO, ONNX Runtime or
    PyTorch for a folder that jobs.export wrote; openvino also takes a checkpoint, and converts it at the start."""
    device: str = "auto"
    """cpu, cuda, or auto: a GPU if there is one."""
    batch_tokens: int = 4096
    """Tokens of one batch of the model, padding included; a CPU takes a window at a time on each core."""
    page_time_limit_seconds: float = 120.0
    """The longest that reading one page may take, in seconds; then it is a failed page."""
    page_memory_limit_megabytes: int = 2000
    """The most memory that reading one page may take, in millions of bytes; then it is a failed page."""
    read_workers: int | None = None
    """Actors that render and read pages; by default one a CPU."""
    model_workers: int | None = None
    """Actors that run the model; by default one a GPU, or one for 16 CPUs where there is no GPU."""
    address: str | None = None
    """Address of a Ray cluster; by default the cluster that this runs in, or else a local one is started."""

    def options_for(self, dataset: str, data: str, split: str, model: str, task: Task) -> EvaluateOptions:
        """The options of the evaluation of a model on a split.

        Raises:
            ValueError: invalid options.
        """
        positive = ("limit", "batch_tokens", "page_time_limit_seconds", "read_workers", "model_workers")
        require_positive(self, positive)
        return EvaluateOptions(
            dataset=dataset,
            data=normalise_uri(data),
            split=split,
            model=model,
            task=task,
            language=self.language,
            stride=self.stride,
            decode=self.decode,
            limit=self.limit,
            strict=self.strict,
            limits=PageLimits(self.page_time_limit_seconds, self.page_memory_limit_megabytes),
            rasterize=RasterizeOptions(text=self.text),
            ocr=OcrOptions(engine=self.ocr_engine, language=self.ocr_lang),
            infer=InferOptions(
                task=task,
                dtype=self.dtype,
                device=self.device,
                batch_tokens=self.batch_tokens,
                runtime=self.runtime,
            ),
            read_workers=self.read_workers,
            model_workers=self.model_workers,
        )
