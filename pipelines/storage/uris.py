"""URIs of files and S3 objects: local paths and `s3://bucket/key`."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class StoredObject:
    """A listed file or object. `etag` changes when the content does (of a file: made of its size and change time)."""

    uri: str
    size_bytes: int
    etag: str


def is_s3(uri: str) -> bool:
    """Whether the URI names an S3 object or prefix."""
    return uri.startswith("s3://")


def split_s3(uri: str) -> tuple[str, str]:
    """Bucket and key, or prefix, of an S3 URI."""
    bucket, _, key = uri[5:].partition("/")
    return bucket, key


def normalise_uri(uri: str) -> str:
    """`s3://` URIs as they are; local paths absolute, without `file://`.

    Raises:
        ValueError: another scheme, or no bucket.
    """
    if is_s3(uri):
        if not split_s3(uri)[0]:
            raise ValueError(f"{uri!r} names no bucket; write s3://bucket/prefix")
        return uri
    path = uri.removeprefix("file://")
    if "://" in path:
        raise ValueError(f"{uri!r}: only local paths and s3://bucket/prefix are read")
    return os.path.abspath(os.path.expanduser(path))


def join_uri(folder: str, *names: str) -> str:
    """The URI of something inside a folder or under a prefix."""
    return "/".join([folder.rstrip("/"), *names])
