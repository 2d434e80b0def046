from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from PIL import Image

from model.ocr import engine as engine_module
from model.ocr.doubtful_lines import divide
from model.ocr.engine import OcrEngine, OcrOptions, OcrUnavailableError, PpOcrOptions, choose_engine
from model.ocr.ppocr_languages import CHINESE_AND_JAPANESE, LATIN, is_latin, unread_languages
from model.ocr.ppocr_runtime import Networks, has_bfloat16
from model.ocr.text_detection import TextLine
from model.ocr.word_filter import Word
from tests.model.ocr.test_engine import WORDS, drawn

LETTERS = {
    "ces": "áčďéěíňóřšťúůýž",
    "cym": "âêîôûŵŷ",
    "dan": "æøå",
    "deu": "äöüß",
    "epo": "ĉĝĥĵŝŭ",
    "est": "äõöüšž",
    "fra": "àâæçéèêëîïôœùûüÿ",
    "hun": "áéíóöőúüű",
    "isl": "áðéíóúýþæö",
    "lav": "āčēģīķļņšūž",
    "lit": "ąčęėįšųūž",
    "mlt": "ċġħż",
    "mri": "āēīōū",
    "pol": "ąćęłńóśźż",
    "por": "ãáâàçéêíóôõú",
    "ron": "ăâîșț",
    "slk": "áäčďéíĺľňóôŕšťúýž",
    "spa": "ñáéíóúü¿",
    "sqi": "çë",
    "tur": "çğıöşüİ",
    "aze": "əğıöşüçƏ",
}


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.ocr.ppocr_runtime.has_bfloat16", lambda: True)


@pytest.fixture
def no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.ocr.ppocr_runtime.has_bfloat16", lambda: False)
    monkeypatch.setattr("model.ocr.ppocr_runtime._has_cuda", lambda: False)


@pytest.mark.parametrize("language", ["eng", "eng+deu", "~eng+fra", "chi_sim", "jpn+eng"])
def test_a_fast_processor_reads_whole_pages_by_ppocr(bfloat16: None, language: str) -> None:
    assert choose_engine(OcrOptions(language=language)) == "ppocr"


def test_a_slow_processor_reads_by_tesseract_first(no_bfloat16: None) -> None:
    assert choose_engine(OcrOptions()) == "tesserocr+ppocr"


def test_float32_is_slow_on_every_processor(bfloat16: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.ocr.ppocr_runtime._has_cuda", lambda: False)
    assert choose_engine(OcrOptions(ppocr=PpOcrOptions(precision="f32"))) == "tesserocr+ppocr"
    assert choose_engine(OcrOptions(ppocr=PpOcrOptions(runtime="onnxruntime"))) == "tesserocr+ppocr"


def test_a_graphics_processor_is_fast(no_bfloat16: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.ocr.ppocr_runtime._has_cuda", lambda: True)
    assert choose_engine(OcrOptions()) == "ppocr"


@pytest.mark.parametrize("language", ["rus", "eng+ara", "kor", "vie"])
def test_other_scripts_are_read_by_tesseract_in_lines_that_ppocr_finds(bfloat16: None, language: str) -> None:
    assert choose_engine(OcrOptions(language=language)) == "ppocr+tesserocr"
    assert choose_engine(OcrOptions(engine="tesserocr", language=language)) == "tesserocr"


def test_without_rapidocr_tesseract_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "is_installed", lambda: False)
    with OcrEngine() as engine:
        assert engine.read(drawn()[0]).engine == "tesserocr"


@pytest.mark.usefixtures("networks_are_loaded_anew")
def test_a_runtime_that_cannot_be_loaded_leaves_tesseract(
    bfloat16: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # importing it now raises ImportError
    with caplog.at_level(logging.WARNING), OcrEngine(OcrOptions(ppocr=PpOcrOptions(runtime="openvino"))) as engine:
        assert engine.read(drawn()[0]).engine == "tesserocr"
    assert "pip install rapidocr openvino" in caplog.text
    with pytest.raises(OcrUnavailableError, match="pip install rapidocr openvino"):
        OcrEngine(OcrOptions(engine="ppocr", ppocr=PpOcrOptions(runtime="openvino")))


def test_without_tesseracts_data_of_a_language_whole_pages_are_read_by_ppocr(
    no_bfloat16: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with OcrEngine(OcrOptions(language="deu", tessdata=str(tmp_path))) as engine:
        assert engine.read(drawn()[0]).engine == "ppocr"
    assert "Tesseract cannot be used" in caplog.text


def test_a_language_that_no_engine_has_names_its_package() -> None:
    with pytest.raises(OcrUnavailableError, match=r"chi_xyz.*apt-get install tesseract-ocr-chi-xyz"):
        OcrEngine(OcrOptions(language="eng+chi_xyz"))


def test_both_engines_together_read_a_clean_page() -> None:
    with OcrEngine(OcrOptions(engine="tesserocr+ppocr")) as engine:
        result = engine.read(drawn()[0])
        assert (result.words, result.engine) == (WORDS, "tesserocr+ppocr")
        assert engine.read(Image.new("L", (600, 800), 255)).words == []
        with pytest.raises(TimeoutError, match="longer than"):
            engine.read(drawn()[0], time_limit_seconds=0.001)
    with pytest.raises(RuntimeError, match="closed"):
        engine.read(drawn()[0])


def test_each_engine_has_its_own_least_confidences_unless_given() -> None:
    words = [Word("low", (0, 0, 9, 9), 0.3), Word("high", (9, 0, 20, 9), 0.9)]
    for name, count in (("tesserocr", 2), ("ppocr", 1)):
        with OcrEngine(OcrOptions(engine=name)) as engine:  # type: ignore[arg-type]
            defaults = {"tesserocr": engine_module.TESSERACT_CONFIDENCES, "ppocr": engine_module.PPOCR_CONFIDENCES}
            assert len(engine._text(words, defaults[name]).words) == count
    with OcrEngine(OcrOptions(engine="ppocr", minimum_confidence=0.0)) as engine:
        assert len(engine._text(words, engine_module.PPOCR_CONFIDENCES).words) == 2


def test_the_character_set_has_the_letters_of_the_languages(latin_networks: Networks) -> None:
    known = set(latin_networks.characters)
    missing = {language: set(letters) - known for language, letters in LETTERS.items()}
    assert not any(missing.values()), missing
    assert set(LETTERS) <= LATIN
    assert not set("ạấơư") <= known  # Vietnamese is left to Tesseract


def test_languages_are_told_by_name() -> None:
    assert unread_languages("eng+rus+~kor") == ["rus", "kor"]
    assert is_latin("eng+~deu") and not is_latin("eng+jpn")
    assert not LATIN & CHINESE_AND_JAPANESE


@pytest.mark.parametrize(
    ("flags", "answer"), [("fpu avx512f amx_bf16 amx_tile", True), ("avx512_bf16", True), ("fpu avx2 avx512f", False)]
)
def test_the_processors_flags_say_whether_it_has_bfloat16(tmp_path: Path, flags: str, answer: bool) -> None:
    processor = tmp_path / "cpuinfo"
    processor.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: spectre\n")
    assert has_bfloat16(processor) is answer
    assert not has_bfloat16(tmp_path / "missing")


def line(x0: float, y0: float, x1: float, y1: float) -> TextLine:
    import numpy as np

    return TextLine(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32), 0.9)


def test_lines_are_read_again_where_tesseract_was_unsure_or_saw_little() -> None:
    sure, unsure, partly, unseen = (line(0, y, 100, y + 10) for y in (0, 20, 40, 60))
    words = [
        Word("certain", (2, 0, 90, 10), 0.95),
        Word("vague", (2, 20, 90, 30), 0.6),
        Word("short", (2, 40, 30, 50), 0.95),
        Word("margin", (200, 0, 240, 10), 0.9),
        Word("speck", (200, 40, 240, 50), 0.5),
        Word("--", (200, 60, 240, 70), 0.95),
    ]
    division = divide(words, [sure, unsure, partly, unseen])
    assert [word.text for word in division.words] == ["margin", "certain"]
    assert division.lines == [unsure, partly, unseen]


def test_without_lines_only_certain_words_stay() -> None:
    assert divide([Word("a", (0, 0, 5, 5), 0.9), Word("b", (0, 0, 5, 5), 0.1)], []).words[0].text == "a"
    assert divide([], []).lines == []
