"""The image file of a labelled page: a file of its own, a row of a Parquet file, or a member of a zip archive."""

from __future__ import annotations

from pipelines.datasets.labelled_pages import is_embedded_image, read_embedded_image
from pipelines.datasets.zipped_images import archive_of, is_zipped_image, read_zipped_image
from pipelines.storage.files import Storage


def is_inside_file(uri: str) -> bool:
    """Whether the image is inside another file: `FILE.parquet#ROW` or `FILE.zip#MEMBER`."""
    return is_embedded_image(uri) or is_zipped_image(uri)


def file_of(uri: str) -> str:
    """The file that holds the image, which may be the image itself."""
    if is_embedded_image(uri):
        return uri.rpartition("#")[0]
    return archive_of(uri) if is_zipped_image(uri) else uri


def read_image_file(storage: Storage, uri: str) -> bytes:
    """The bytes of the image file.

    Raises:
        ProcessingError: `not_found`, `too_large`, `encrypted`, `unreadable`; else as `Storage.open`.
    """
    if is_embedded_image(uri):
        return read_embedded_image(storage, uri)
    return read_zipped_image(storage, uri) if is_zipped_image(uri) else storage.read(uri)
