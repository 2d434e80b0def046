"""The canvas of a form: it draws text as labelled entities and records the position of every word."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from pipelines.datasets.synthetic_forms.fonts import Face, Font, faces
from pipelines.datasets.synthetic_forms.language import FormLanguage
from pipelines.datasets.synthetic_forms.word_breaks import pieces

HEADER, QUESTION, ANSWER, OTHER = "HEADER", "QUESTION", "ANSWER", "O"

Ink = tuple[float, float, float, float]


@dataclass
class Entity:
    """Words of one label that belong together; `inks` are their boxes in pixels of the sheet before scanning."""

    label: str
    section: int
    words: list[str] = field(default_factory=list)
    inks: list[Ink] = field(default_factory=list)

    @property
    def top(self) -> float:
        return min(ink[1] for ink in self.inks)

    @property
    def left(self) -> float:
        return min(ink[0] for ink in self.inks)


@dataclass(frozen=True)
class Style:
    """The style of one form.

    Attributes:
        key_face, value_face, title_face: typefaces of printed text, of filled-in text and of titles.
        size: of the text, in pixels.
        key_size: of the keys, in pixels.
        raised: how far values stand above their keys, in pixels; below where negative.
        title_size: of the form's title, in pixels.
        leading: height of a line, relative to `size`.
        separator: text after keys.
        key_capitals, value_capitals: whether keys, values are in capitals.
        bold_keys: whether keys are bold.
        empty: probability that a key has no answer.
        underlined: probability that a field is on a ruled line.
        hand: whether values leave the baseline as handwriting does.
        parted: whether words are split after slashes and hyphens, as by annotators: 9/ 14/ 93.
        misspelt: probability that a word is spelt as by bad OCR.
    """

    key_face: Face
    value_face: Face
    title_face: Face
    size: int
    key_size: int
    raised: int
    title_size: int
    leading: float
    separator: str
    key_capitals: bool
    value_capitals: bool
    bold_keys: bool
    empty: float
    underlined: float
    hand: bool
    parted: bool
    misspelt: float


def draw_style(rng: random.Random, misspelt: float, language: FormLanguage) -> Style:
    """A random style of a language's forms."""
    found = faces(language.families, language.characters)

    def face(*families: str) -> Face:
        return rng.choice(found[rng.choice(families)])

    key_face = face("typewriter", "typewriter", "sans", "serif")
    hand = rng.random() < 0.2
    typed = key_face if rng.random() < 0.55 else face("typewriter", "sans", "serif")
    size = rng.choice((11, 12, 12, 13, 13, 14, 15)) + language.larger
    return Style(
        key_face=key_face,
        value_face=face("hand") if hand else typed,
        title_face=key_face if rng.random() < 0.5 else face("sans", "serif", "typewriter"),
        size=size,
        key_size=max(9, size - rng.choice((0, 0, 0, 0, 0, 0, 1, 2, 3))),
        raised=rng.choice((0, 0, 0, 0, 0, 1, 2, 3, 4, 5, -2)),
        title_size=size + rng.choice((0, 0, 1, 2, 3, 5, 8)),
        leading=rng.uniform(1.2, 1.75),
        separator=rng.choice(language.separators),
        key_capitals=rng.random() < language.key_capitals,
        value_capitals=rng.random() < 0.2 and not hand,
        bold_keys=rng.random() < 0.2,
        empty=rng.choice((0.02, 0.1, 0.25, 0.5)),
        underlined=rng.choice((0.0, 0.0, 0.3, 1.0)),
        hand=hand,
        parted=rng.random() < (0.75 if language.annotators else 0.0),
        misspelt=misspelt,
    )


_LOOKALIKES = {
    "o": "0", "O": "0", "l": "1", "I": "l", "1": "l", "0": "O", "S": "5", "5": "S", "B": "8", "e": "c", "c": "e",
    "a": "o", "u": "v", "n": "r", "t": "l", "i": "l", "h": "b", "G": "C", "E": "F", ":": ";", ".": ",", ",": ".",
}  # fmt: skip


def misspell(rng: random.Random, word: str) -> str:
    """The word with one character replaced, left out or doubled."""
    position = rng.randrange(len(word))
    character = word[position]
    form = rng.random()
    if form < 0.65:
        changed = _LOOKALIKES.get(character, character)
    elif form < 0.85 and len(word) > 2:
        changed = ""
    else:
        changed = character * 2 if len(word) > 2 else character
    return word[:position] + changed + word[position + 1 :]


class Canvas:
    """A blank sheet of about 750 by 1000 pixels on which text and lines are drawn."""

    def __init__(
        self, rng: random.Random, style: Style, language: FormLanguage, domain: str, width: int, height: int
    ) -> None:
        self.rng = rng
        self.style = style
        self.language = language
        self.domain = domain
        self.width = width
        self.height = height
        self.image = Image.new("L", (width, height), 255)
        self.draw = ImageDraw.Draw(self.image)
        self.draw.fontmode = "L"
        self.entities: list[Entity] = []
        self.links: list[tuple[int, int]] = []
        self.header_links: list[tuple[int, int]] = []
        self.section = 0
        self.bottom = height * 0.95
        self.line = round(style.size * style.leading)

    def key_font(self) -> Font:
        return self.style.key_face.at(self.style.key_size, self.style.bold_keys)

    def value_font(self) -> Font:
        return self.style.value_face.at(self.style.size + (2 if self.style.hand else 0))

    def text_font(self) -> Font:
        return self.style.key_face.at(self.style.size)

    def small_font(self, step: int = 3) -> Font:
        return self.style.key_face.at(max(9, self.style.size - step))

    def value(self, kind: str) -> str:
        """A value of a kind in the form's language."""
        return self.language.values[kind](self.rng)

    def caption(self, name: str) -> str:
        """One of the language's texts for a caption."""
        texts = self.language.captions[name]
        return self.language.expand(self.rng, texts[0] if len(texts) == 1 else self.rng.choice(texts))

    def captions(self, name: str, count: int) -> list[str]:
        """So many of the language's texts for a caption, each once."""
        texts = self.language.captions[name]
        return [self.language.expand(self.rng, text) for text in self.rng.sample(texts, min(count, len(texts)))]

    def cut(self, text: str, width: float, least: int = 0, font: Font | None = None) -> str:
        """As many of the text's words as stand on one line of the width, `least` at least; in the font of values."""
        font = font or self.value_font()
        found = list(pieces(text))
        while len(found) > least and font.getlength("".join(found)) > width:
            found.pop()
        return "".join(found)

    def faces(self, family: str) -> tuple[Face, ...]:
        """The typefaces of a family that have the language's characters."""
        return faces(self.language.families, self.language.characters)[family]

    def fits(self, y: float, lines: float = 1) -> bool:
        """Whether `lines` more lines fit above the bottom margin."""
        return y + lines * self.line <= self.bottom

    def write(
        self,
        text: str,
        x: float,
        y: float,
        label: str,
        font: Font,
        width: float | None = None,
        align: str = "left",
        leading: float | None = None,
        hanging: float | None = None,
    ) -> tuple[int, float, float]:
        """Draw text as one entity, wrapped at a width; returns its index, its right end and its bottom.

        The index is -1 if nothing was drawn, because there was no text or no room. Lines after the first start at
        `hanging` if it is given. Lines below the bottom of the sheet are left out.
        """
        width = self.width - 8 - x if width is None else width
        leading = font.size * 1.25 if leading is None else leading
        found = pieces(text)
        font = _fitting(found, font, width) if self.language.fitted else font
        entity = Entity(label, self.section)
        right = x
        space = font.getlength(" ")
        indented = (hanging is not None and x - hanging) or 0.0
        for number, line in enumerate(_wrapped(found, font, width, space, indented, self.language.fitted)):
            if y + leading > self.height - 4:
                break
            start = hanging if number and hanging is not None else x
            spaces = sum(spaced for _, _, spaced in line[1:])
            length = sum(length for _, length, _ in line) + space * spaces
            spare = max(0.0, width - length)
            pen = start + (spare if align == "right" else spare / 2 if align == "center" else 0.0)
            baseline = y + font.size * 0.95
            for place, (word, _, spaced) in enumerate(line):
                pen += space if place and spaced else 0.0
                for part in _parts(word) if self.style.parted else (word,):
                    if self._word(entity, part, pen, baseline, font):
                        right = max(right, pen + font.getlength(part))
                    pen += font.getlength(part)
            y += leading
        if not entity.words:
            return -1, right, y
        self.entities.append(entity)
        return len(self.entities) - 1, right, y

    def _word(self, entity: Entity, word: str, x: float, baseline: float, font: Font) -> bool:
        rng = self.rng
        hand = self.style.hand and entity.label == ANSWER
        if hand:
            baseline += rng.uniform(-2, 2)
        left, top, right, bottom = font.getbbox(word, anchor="ls")
        if right - left < 1:
            return False  # a face of script may lack a sign
        if x + right > self.width - 2 or x + left < 1 or baseline + top < 1:
            return False
        ink = rng.randint(0, 70) if hand else 10
        self.draw.text((x, baseline), word, fill=ink, font=font, anchor="ls")
        if hand:
            self.draw.text((x + 1, baseline), word, fill=ink, font=font, anchor="ls")  # a pen's strokes are broad
        entity.words.append(misspell(rng, word) if rng.random() < self.style.misspelt else word)
        high, low = min(top, -0.68 * font.size), max(bottom, 0.1 * font.size)
        entity.inks.append((x + left, baseline + high, x + right, baseline + low))
        return True

    def merge_last(self, entity: int) -> None:
        """Make the entity that was drawn last a part of another."""
        added = self.entities.pop()
        self.entities[entity].words += added.words
        self.entities[entity].inks += added.inks

    def link(self, question: int, answer: int) -> None:
        """Record that an entity answers another; either index may be -1, for none."""
        if question >= 0 and answer >= 0:
            self.links.append((question, answer))

    def link_header(self, header: int, question: int) -> None:
        """Record that a question stands under a header; either index may be -1, for none."""
        if header >= 0 and question >= 0:
            self.header_links.append((header, question))

    def head(self, header: int, first: int = 0) -> None:
        """Record the header of the questions drawn from the entity `first` on that have none yet; -1 for no header."""
        if header < 0:
            return
        headed = {question for _, question in self.header_links}
        for index in range(max(first, header + 1), len(self.entities)):
            if self.entities[index].label == QUESTION and index not in headed:
                self.header_links.append((header, index))

    def rule(self, x0: float, y0: float, x1: float, y1: float, thick: int = 1) -> None:
        """Draw a straight line."""
        self.draw.line((x0, y0, x1, y1), fill=self.rng.choice((0, 20, 60)), width=thick)

    def frame(self, x0: float, y0: float, x1: float, y1: float, thick: int = 1) -> None:
        """Draw the outline of a rectangle."""
        self.draw.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=20, width=thick)


_PART = re.compile(r"[^/-]*[/-]|[^/-]+")


def _parts(word: str) -> tuple[str, ...]:
    """A word split after its slashes and hyphens; whole if a part would have no letter or digit."""
    parts = tuple(_PART.findall(word))
    return parts if all(any(character.isalnum() for character in part) for part in parts) else (word,)


_MARKS = frozenset(":;!?")

SMALLEST = 8
"""The smallest size of letters that are made to fit, in pixels."""


def _fitting(found: Sequence[str], font: Font, width: float) -> Font:
    """The font, or one so much smaller that the longest word stands on a line of the width."""
    longest = max((font.getlength(piece.lstrip(" ")) for piece in found), default=0.0)
    if longest <= width or longest == 0:
        return font
    return font.font_variant(size=max(SMALLEST, int(font.size * width / longest)))


def _wrapped(
    found: Sequence[str], font: Font, width: float, space: float, indented: float, fitted: bool
) -> Sequence[Sequence[tuple[str, float, bool]]]:
    """Lines of words with their lengths, and whether a space stands before them.

    Args:
        found: words, with the space before them where there is one.
        indented: by how much the first line is shorter than the others.
        fitted: whether a mark that stands apart, as a French colon, stays on the line of the word before it.
    """
    lines: list[list[tuple[str, float, bool]]] = [[]]
    used = 0.0
    for piece in found:
        word = piece.lstrip(" ")
        length = font.getlength(word)
        room = width if len(lines) == 1 else width + indented
        used += space if piece != word else 0.0
        if lines[-1] and used + length > room and not (fitted and word in _MARKS):
            lines.append([])
            used = 0.0
        lines[-1].append((word, length, piece != word))
        used += length
    return lines if lines[0] else []
