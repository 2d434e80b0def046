"""Fonts for drawn forms.

Pillow's own, those of matplotlib, those of reportlab if it is installed, and for Chinese and Japanese those of Debian
packages.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from matplotlib.ft2font import FT2Font
from PIL import ImageFont

Font = ImageFont.FreeTypeFont

_MATPLOTLIB = ("matplotlib", "mpl-data/fonts/ttf")
_REPORTLAB = ("reportlab", "fonts")
Candidate = tuple[tuple[str, str], str, str]

_LATIN: dict[str, tuple[Candidate, ...]] = {
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
_WQY, _SONG, _KAI = ("", "truetype/wqy"), ("", "truetype/arphic-gbsn00lp"), ("", "truetype/arphic-gkai00mp")
_GOTHIC, _MINCHO = ("", "opentype/ipafont-gothic"), ("", "opentype/ipafont-mincho")
_VL: Candidate = (("", "truetype/vlgothic"), "VL-Gothic-Regular.ttf", "VL-Gothic-Regular.ttf")
_VL_PROPORTIONAL: Candidate = (("", "truetype/vlgothic"), "VL-PGothic-Regular.ttf", "VL-PGothic-Regular.ttf")
_MICROHEI: Candidate = (_WQY, "wqy-microhei.ttc", "wqy-microhei.ttc")
_CHINESE: dict[str, tuple[Candidate, ...]] = {
    "typewriter": ((_SONG, "gbsn00lp.ttf", "gbsn00lp.ttf"), _MICROHEI),
    "serif": ((_SONG, "gbsn00lp.ttf", "gbsn00lp.ttf"),),
    "sans": (_MICROHEI,),
    "hand": ((_KAI, "gkai00mp.ttf", "gkai00mp.ttf"),),
}
_JAPANESE: dict[str, tuple[Candidate, ...]] = {
    "typewriter": ((_GOTHIC, "ipag.ttf", "ipag.ttf"), (_MINCHO, "ipam.ttf", "ipam.ttf"), _VL),
    "serif": ((_MINCHO, "ipamp.ttf", "ipamp.ttf"), (_MINCHO, "ipam.ttf", "ipam.ttf")),
    "sans": ((_GOTHIC, "ipagp.ttf", "ipagp.ttf"), (_GOTHIC, "ipag.ttf", "ipag.ttf"), _VL_PROPORTIONAL),
    "hand": ((_MINCHO, "ipamp.ttf", "ipamp.ttf"),),
}

FAMILIES: dict[str, dict[str, tuple[Candidate, ...]]] = {
    "latin": _LATIN,
    "chinese": _CHINESE,
    "japanese": _JAPANESE,
}
"""The candidates of each family: the package (empty for the system's fonts) and the folder in it, and two files."""

PACKAGES = {
    "latin": "reportlab (from PyPI)",
    "chinese": "fonts-wqy-microhei, fonts-arphic-gbsn00lp and fonts-arphic-gkai00mp (Debian)",
    "japanese": "fonts-vlgothic, fonts-ipafont-gothic and fonts-ipafont-mincho (Debian)",
}
"""The packages with fonts of each script; of those of a script one is enough."""

SYSTEM_FONTS = Path("/usr/share/fonts")

_SCALES = {"callig15.pfb": 1.4}


@dataclass(frozen=True)
class Face:
    """A typeface in two weights; an empty path stands for Pillow's own font.

    `scale` makes up for letters that are small for their size, as in a script.
    """

    regular: str = ""
    bold: str = ""
    scale: float = 1.0

    def at(self, size: int, bold: bool = False) -> Font:
        """The font at a size in pixels."""
        return _load(self.bold if bold else self.regular, round(size * self.scale))


@lru_cache(maxsize=16)
def faces(families: str = "latin", characters: str = "") -> dict[str, tuple[Face, ...]]:
    """The installed faces by family: typewriter, serif, sans and hand.

    A Latin family has at least Pillow's own font; one of another script that is not installed is made up for by the
    script's other families.

    Args:
        families: a key of `FAMILIES`.
        characters: that every face must have; empty for any.

    Raises:
        FileNotFoundError: no font of the script has the characters.
    """
    own = (Face(),) if families == "latin" and not characters else ()
    found = {}
    for family, candidates in FAMILIES[families].items():
        there = [
            Face(str(regular), str(bold), _SCALES.get(regular.name, 1.0))
            for regular, bold in filter(None, map(_files, candidates))
            if not characters or all(set(map(ord, characters)) <= _characters(str(path)) for path in (regular, bold))
        ]
        found[family] = (*there, *own) if family == "sans" or not there else tuple(there)
    every = tuple(dict.fromkeys(face for family in found.values() for face in family))
    if not every:
        raise FileNotFoundError(
            f"no installed font has the characters of {families} text; install {PACKAGES[families]}"
        )
    return {family: there or every for family, there in found.items()}


def _files(candidate: Candidate) -> tuple[Path, Path] | None:
    """The regular and the bold file of a candidate, if both exist."""
    (module, folder), *names = candidate
    root = SYSTEM_FONTS
    if module:
        specification = importlib.util.find_spec(module)
        if specification is None or specification.origin is None:
            return None
        root = Path(specification.origin).parent
    regular, bold = (root / folder / name for name in names)
    return (regular, bold) if regular.exists() and bold.exists() else None


@lru_cache(maxsize=64)
def _characters(path: str) -> frozenset[int]:
    """The code points for which a font has a shape."""
    return frozenset(FT2Font(path).get_charmap())


@lru_cache(maxsize=256)
def _load(path: str, size: int) -> Font:
    if path:
        return ImageFont.truetype(path, size)
    own = ImageFont.load_default(size=size)
    if not isinstance(own, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; install a wheel of Pillow, which has it")
    return own
