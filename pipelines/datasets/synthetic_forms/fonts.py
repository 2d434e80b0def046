"""Fonts for drawn forms: Pillow's own, and those of matplotlib and reportlab if these are installed."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

_MATPLOTLIB = ("matplotlib", "mpl-data/fonts/ttf")
_REPORTLAB = ("reportlab", "fonts")
_FAMILIES: dict[str, tuple[tuple[tuple[str, str], str, str], ...]] = {
    "typewriter": (
        (_MATPLOTLIB, "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
        (_MATPLOTLIB, "cmtt10.ttf", "DejaVuSansMono-Bold.ttf"),
        (_REPORTLAB, "com_____.pfb", "cob_____.pfb"),
        (_REPORTLAB, "com_____.pfb", "cob_____.pfb"),
    ),
    "serif": (
        (_REPORTLAB, "_er_____.pfb", "_eb_____.pfb"),
        (_REPORTLAB, "_er_____.pfb", "_eb_____.pfb"),
        (_MATPLOTLIB, "STIXGeneral.ttf", "STIXGeneralBol.ttf"),
        (_MATPLOTLIB, "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    ),
    "sans": (
        (_REPORTLAB, "_a______.pfb", "_ab_____.pfb"),
        (_REPORTLAB, "_a______.pfb", "_ab_____.pfb"),
        (_MATPLOTLIB, "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
        (_REPORTLAB, "Vera.ttf", "VeraBd.ttf"),
    ),
    "hand": (
        (_REPORTLAB, "callig15.pfb", "callig15.pfb"),
        (_REPORTLAB, "callig15.pfb", "callig15.pfb"),
        (_REPORTLAB, "_ei_____.pfb", "_ebi____.pfb"),
        (_MATPLOTLIB, "STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf"),
        (_MATPLOTLIB, "DejaVuSans-Oblique.ttf", "DejaVuSans-BoldOblique.ttf"),
        (_REPORTLAB, "VeraIt.ttf", "VeraBI.ttf"),
    ),
}


@dataclass(frozen=True)
class Face:
    """A typeface in two weights; an empty path stands for Pillow's own font.

    Letters of a script are small for their size, so that such a face is drawn larger.
    """

    regular: str = ""
    bold: str = ""

    def at(self, size: int, bold: bool = False) -> Font:
        """The font at a size in pixels."""
        return _load(self.bold if bold else self.regular, round(size * 1.4) if "callig" in self.regular else size)


@lru_cache(maxsize=1)
def faces() -> dict[str, tuple[Face, ...]]:
    """The installed faces by family: typewriter, serif, sans and hand; each has at least Pillow's own font."""
    found = {}
    for family, candidates in _FAMILIES.items():
        there = []
        for (module, folder), *names in candidates:
            specification = importlib.util.find_spec(module)
            if specification is None or specification.origin is None:
                continue
            regular, bold = (Path(specification.origin).parent / folder / name for name in names)
            if regular.exists() and bold.exists():
                there.append(Face(str(regular), str(bold)))
        found[family] = (*there, Face()) if family == "sans" or not there else tuple(there)
    return found


@lru_cache(maxsize=256)
def _load(path: str, size: int) -> Font:
    if path:
        return ImageFont.truetype(path, size)
    own = ImageFont.load_default(size=size)
    if not isinstance(own, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; install a wheel of Pillow, which has it")
    return own
