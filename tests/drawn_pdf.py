"""PDFs written by hand, byte for byte known, for tests of what is read from them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image

Box = tuple[float, float, float, float]

FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding {extra} >>"


@dataclass(frozen=True)
class DrawnPage:
    """A page's content stream and boxes; fonts are /F1 (Helvetica, with `font_extra` in its dictionary)."""

    content: str = ""
    media_box: Box = (0, 0, 400, 300)
    crop_box: Box | None = None
    rotate: int = 0
    font_extra: str = ""
    to_unicode: dict[str, str] = field(default_factory=dict)
    image: Image.Image | None = None
    field_value: str | None = None


def show(text: str, x: float, y: float, size: float = 24, *, invisible: bool = False) -> str:
    """The operators that show `text` with its baseline beginning at x, y."""
    mode = "3 Tr " if invisible else ""
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"q BT {mode}/F1 {size} Tf {x} {y} Td ({escaped}) Tj ET Q\n"


def show_image(x: float, y: float, width: float, height: float) -> str:
    """The operators that show the page's image."""
    return f"q {width} 0 0 {height} {x} {y} cm /Im1 Do Q\n"


def draw_pdf(*pages: DrawnPage) -> bytes:
    """A PDF of these pages."""
    objects: list[bytes] = [b"", b""]  # the catalog and the page tree, filled in last

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    kids = []
    fields = []
    for page in pages:
        to_unicode = ""
        if page.to_unicode:
            to_unicode = f"/ToUnicode {add(_stream('', _to_unicode_map(page.to_unicode)))} 0 R"
        font = add(FONT.format(extra=page.font_extra + to_unicode).encode())
        resources = f"/Font << /F1 {font} 0 R >>"
        if page.image is not None:
            resources += f" /XObject << /Im1 {add(_image(page.image))} 0 R >>"
        content = add(_stream("", page.content.encode("latin-1")))
        annotations = ""
        if page.field_value is not None:
            fields.append(add(_field(page.field_value, add(_appearance(page.field_value, font)))))
            annotations = f"/Annots [{fields[-1]} 0 R]"
        crop = f"/CropBox [{_numbers(page.crop_box)}]" if page.crop_box else ""
        kids.append(
            add(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [{_numbers(page.media_box)}] {crop} /Rotate {page.rotate} "
                f"/Resources << {resources} >> /Contents {content} 0 R {annotations} >>".encode()
            )
        )
    form = f"/AcroForm << /Fields [{' '.join(f'{number} 0 R' for number in fields)}] >>" if fields else ""
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R {form} >>".encode()
    kid_list = " ".join(f"{number} 0 R" for number in kids)
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{kid_list}] >>".encode()
    return _file(objects)


def _file(objects: list[bytes]) -> bytes:
    data = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table
    return data + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def _numbers(box: Box) -> str:
    return " ".join(map(str, box))


def _stream(entries: str, body: bytes) -> bytes:
    return f"<< {entries} /Length {len(body)} >>\nstream\n".encode() + body + b"\nendstream"


def _image(image: Image.Image) -> bytes:
    jpeg = io.BytesIO()
    image.convert("L").save(jpeg, "JPEG")
    entries = (
        f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} /ColorSpace /DeviceGray "
        "/BitsPerComponent 8 /Filter /DCTDecode"
    )
    return _stream(entries, jpeg.getvalue())


def _field(value: str, appearance: int) -> bytes:
    return (
        f"<< /Type /Annot /Subtype /Widget /FT /Tx /T (field) /V ({value}) /Rect [100 100 300 130] /F 4 "
        f"/DA (/F1 16 Tf 0 g) /AP << /N {appearance} 0 R >> >>"
    ).encode()


def _appearance(value: str, font: int) -> bytes:
    entries = f"/Type /XObject /Subtype /Form /BBox [0 0 200 30] /Resources << /Font << /F1 {font} 0 R >> >>"
    return _stream(entries, f"/Tx BMC q BT /F1 16 Tf 4 8 Td ({value}) Tj ET Q EMC".encode())


def _to_unicode_map(codes: dict[str, str]) -> bytes:
    lines = "\n".join(f"<{ord(code):02x}> <{text.encode('utf-16-be').hex()}>" for code, text in codes.items())
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def /CMapType 2 def\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{lines}\nendbfchar\nendcmap end end"
    ).encode()
