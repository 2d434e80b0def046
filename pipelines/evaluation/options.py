"""What is evaluated on what. This module imports neither PyTorch nor Ray: a job refuses bad options without them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model.decoding import DecodeChoice
from model.ocr.engine import OcrOptions
from pipelines.datasets.preprocess import PreprocessOptions
from pipelines.schema import Task
from pipelines.stages.infer import InferOptions
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.sandbox_protocol import PageLimits

WordChoice = Literal["corpus", "ocr"]


@dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated on what.

    Attributes:
        dataset, data, split: see `read_corpus`.
        model: folder, hub id or s3:// URI of a checkpoint.
        task: what the model is asked.
        language: of a corpus in several languages, see `read_corpus`.
        stride: tokens that neighbouring windows of a long page share.
        words: "corpus" takes the words of the annotations where there are any; "ocr" reads all pages, and entities are
            compared by their texts.
        decode: what gets a label, see `ExtractOptions`.
        limit: evaluate only the first pages of the split, this many; None takes all.
        strict: a broken annotation ends the run.
        output: folder or prefix for metrics.json, report.html, pictures/ and predictions/; None writes nothing.
        predictions: write the page rows with their ground truth as Parquet.
        report_pages: pages drawn, the worst first.
        limits: what reading one page may cost.
        read_workers, model_workers: see `plan_pools`.
    """

    dataset: str
    data: str
    split: str
    model: str
    task: Task = "token-classification"
    language: str | None = None
    stride: int = 128
    words: WordChoice = "corpus"
    decode: DecodeChoice = "auto"
    limit: int | None = None
    strict: bool = False
    output: str | None = None
    predictions: bool = False
    report_pages: int = 24
    limits: PageLimits = field(default_factory=PageLimits)
    rasterize: RasterizeOptions = field(default_factory=RasterizeOptions)
    ocr: OcrOptions = field(default_factory=OcrOptions)
    infer: InferOptions = field(default_factory=InferOptions)
    read_workers: int | None = None
    model_workers: int | None = None

    @property
    def preprocess(self) -> PreprocessOptions:
        """The same for the stages that read labelled pages."""
        return PreprocessOptions(
            dataset=self.dataset,
            task=self.task,
            tokenizer=self.model,
            stride=self.stride,
            limits=self.limits,
            rasterize=self.rasterize,
            ocr=self.ocr,
        )
