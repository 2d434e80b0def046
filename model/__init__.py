"""LayoutLMv2 in PyTorch: text, layout and image of a page in one Transformer.

    from model import LayoutLMv2ForTokenClassification, LayoutLMv2Processor

Names are imported on first use, so that processes that only read and tokenize pages never load PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.auto import AutoConfig as AutoConfig
    from model.auto import AutoImageProcessor as AutoImageProcessor
    from model.auto import AutoModel as AutoModel
    from model.auto import AutoModelForDocumentQuestionAnswering as AutoModelForDocumentQuestionAnswering
    from model.auto import AutoModelForQuestionAnswering as AutoModelForQuestionAnswering
    from model.auto import AutoModelForRelationExtraction as AutoModelForRelationExtraction
    from model.auto import AutoModelForSequenceClassification as AutoModelForSequenceClassification
    from model.auto import AutoModelForTokenClassification as AutoModelForTokenClassification
    from model.auto import AutoProcessor as AutoProcessor
    from model.auto import AutoTokenizer as AutoTokenizer
    from model.config import LayoutLMv2Config as LayoutLMv2Config
    from model.heads import LayoutLMv2ForQuestionAnswering as LayoutLMv2ForQuestionAnswering
    from model.heads import LayoutLMv2ForSequenceClassification as LayoutLMv2ForSequenceClassification
    from model.heads import LayoutLMv2ForTokenClassification as LayoutLMv2ForTokenClassification
    from model.layoutlmv2 import LayoutLMv2Model as LayoutLMv2Model
    from model.preprocessing.image_processor import LayoutLMv2ImageProcessor as LayoutLMv2ImageProcessor
    from model.preprocessing.image_processor import LayoutLMv2ImageProcessorPil as LayoutLMv2ImageProcessorPil
    from model.preprocessing.layoutxlm_tokenizer import LayoutXLMTokenizer as LayoutXLMTokenizer
    from model.preprocessing.layoutxlm_tokenizer import LayoutXLMTokenizerFast as LayoutXLMTokenizerFast
    from model.preprocessing.processor import LayoutLMv2Processor as LayoutLMv2Processor
    from model.preprocessing.processor import LayoutXLMProcessor as LayoutXLMProcessor
    from model.preprocessing.tokenizer import LayoutLMv2Tokenizer as LayoutLMv2Tokenizer
    from model.preprocessing.tokenizer import LayoutLMv2TokenizerFast as LayoutLMv2TokenizerFast
    from model.random_seed import set_seed as set_seed
    from model.relation_extraction import LayoutLMv2ForRelationExtraction as LayoutLMv2ForRelationExtraction

_MODULES = {
    "AutoConfig": "model.auto",
    "AutoImageProcessor": "model.auto",
    "AutoModel": "model.auto",
    "AutoModelForDocumentQuestionAnswering": "model.auto",
    "AutoModelForQuestionAnswering": "model.auto",
    "AutoModelForRelationExtraction": "model.auto",
    "AutoModelForSequenceClassification": "model.auto",
    "AutoModelForTokenClassification": "model.auto",
    "AutoProcessor": "model.auto",
    "AutoTokenizer": "model.auto",
    "LayoutLMv2Config": "model.config",
    "LayoutLMv2ForQuestionAnswering": "model.heads",
    "LayoutLMv2ForRelationExtraction": "model.relation_extraction",
    "LayoutLMv2ForSequenceClassification": "model.heads",
    "LayoutLMv2ForTokenClassification": "model.heads",
    "LayoutLMv2ImageProcessor": "model.preprocessing.image_processor",
    "LayoutLMv2ImageProcessorPil": "model.preprocessing.image_processor",
    "LayoutLMv2Model": "model.layoutlmv2",
    "LayoutLMv2Processor": "model.preprocessing.processor",
    "LayoutLMv2Tokenizer": "model.preprocessing.tokenizer",
    "LayoutLMv2TokenizerFast": "model.preprocessing.tokenizer",
    "LayoutXLMProcessor": "model.preprocessing.processor",
    "LayoutXLMTokenizer": "model.preprocessing.layoutxlm_tokenizer",
    "LayoutXLMTokenizerFast": "model.preprocessing.layoutxlm_tokenizer",
    "set_seed": "model.random_seed",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
