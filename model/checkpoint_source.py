"""Sources of checkpoints: a folder, the Hugging Face hub, or S3. All resolve to a local folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from model.file_hash import file_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG_NAME = "config.json"
DECODING_NAME = "decoding.json"
SAFETENSORS_FILES = ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors")
PICKLE_FILES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin")
EXPORT_NAME = "export.json"
"""In the folder of an exported model: what it holds, see `model.export.record`."""

EXPORT_FILES = (
    "image.pt2", "text.pt2", "image.onnx", "text.onnx", "image.xml", "image.bin", "text.xml", "text.bin",
)  # fmt: skip
"""The graphs of an exported model, in place of weights."""

TOKENIZER_FILES = (
    "tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json",
)  # fmt: skip
CARD_FILES = ("README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE")
"""What a model may be used for, and its licence."""

OTHER_FILES = (
    CONFIG_NAME, DECODING_NAME, EXPORT_NAME, "preprocessor_config.json", "processor_config.json", *TOKENIZER_FILES,
    *CARD_FILES,
)  # fmt: skip

BUNDLED_FORMS = "layoutlmv2-forms-small"
"""The model included in this package: it finds headers, questions and answers on forms."""

BUNDLED_FORMS_RESEARCH = "layoutlmv2-forms-small-research"
"""The same after learning FUNSD's forms too: more right on forms like those, and for non-commercial research only."""

SOURCE_OPTIONS = ("cache_dir", "revision", "token", "local_files_only", "force_download", "subfolder")
"""The keyword arguments of `resolve_checkpoint` that `from_pretrained` of every class takes."""

_HUB_ID = re.compile(r"[A-Za-z0-9_][\w.-]*(/[\w.-]+)?")
_DENIED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "401"}
_NOT_FOUND = {"404", "NoSuchBucket", "NoSuchKey"}
_S3_TRIES = 3

ErrorKind = Literal["not_found", "access_denied", "unreadable", "unreachable"]


class CheckpointError(OSError):
    """A checkpoint cannot be found, downloaded or read; the message says what to do.

    `kind`: not_found, access_denied, unreadable (a file is corrupt or of the wrong kind), or unreachable (network).
    """

    def __init__(self, message: str, kind: ErrorKind = "unreadable") -> None:
        super().__init__(message)
        self.kind = kind


def resolve_checkpoint(
    source: str | PathLike[str],
    *,
    cache_dir: str | PathLike[str] | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    subfolder: str | None = None,
    weights: bool = True,
) -> Path:
    """The local folder of a checkpoint, downloaded if necessary.

    Only the files that the model, tokenizer and image processor read are downloaded from the hub or S3, with
    safetensors weights if there are any. A download appears in the cache atomically, and once for all processes.

    Args:
        source: a folder; the name of a model included in this package (`BUNDLED_FORMS`, `BUNDLED_FORMS_RESEARCH`); an
            id on the Hugging Face hub (`microsoft/layoutlmv2-base-uncased`); or `s3://bucket/prefix`, with credentials
            and endpoint from the usual AWS environment variables and configuration files.
        cache_dir: where downloads are stored; by default the hub's usual cache, and for S3 `~/.cache/layoutlmv2`, with
            a folder for each version of the content (by etag).
        revision, token: for the hub: a branch, tag or commit; an access token.
        local_files_only: use only what the cache has of a hub id, without the network.
        force_download: download again what the cache already has.
        subfolder: the folder within the source that holds the checkpoint; None or "" is the source itself.
        weights: False downloads no weights, only the configuration and the tokenizer.

    Raises:
        CheckpointError: the checkpoint does not exist, access is denied, or its source is unreachable.
    """
    text, inner = str(source), (subfolder or "").strip("/")
    if text.startswith("s3://"):
        cache = Path(cache_dir) if cache_dir else Path.home() / ".cache" / "layoutlmv2"
        return _download_from_s3(f"{text}/{inner}" if inner else text, cache, weights, force_download)
    folder = Path(text.removeprefix("file://")).expanduser()
    if folder.is_dir():
        return _subfolder(folder, inner, source)
    if text in (BUNDLED_FORMS, BUNDLED_FORMS_RESEARCH):
        return _subfolder(Path(__file__).parent / "bundled" / text, inner, source)
    if folder.exists():
        raise CheckpointError(f"{source} is a file; give the folder that contains it", "not_found")
    if isinstance(source, Path) or not _HUB_ID.fullmatch(text):
        raise CheckpointError(
            f"there is no folder {source}; give a folder with {CONFIG_NAME} and weights, a hub id such as "
            "microsoft/layoutlmv2-base-uncased, or s3://bucket/prefix",
            "not_found",
        )
    options = {
        "cache_dir": cache_dir,
        "revision": revision,
        "token": token,
        "local_files_only": local_files_only,
        "force_download": force_download,
    }
    return _subfolder(_download_from_hub(text, options, inner, weights), inner, source)


def split_source_options(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keyword arguments of a `from_pretrained` in two: those of `SOURCE_OPTIONS`, and the others."""
    options = {name: value for name, value in arguments.items() if name in SOURCE_OPTIONS}
    return options, {name: value for name, value in arguments.items() if name not in SOURCE_OPTIONS}


def _subfolder(folder: Path, inner: str, source: str | PathLike[str]) -> Path:
    if inner and not (folder / inner).is_dir():
        raise CheckpointError(f"{source} has no folder {inner!r}", "not_found")
    return folder / inner


def read_config_json(source: str | PathLike[str], **options: Any) -> dict[str, Any]:
    """The content of a checkpoint's `config.json`; `source` and `options` as in `resolve_checkpoint`.

    Raises:
        CheckpointError: as there; or there is no `config.json`, or it is not a JSON object.
    """
    folder = resolve_checkpoint(source, **{"weights": False, **options})
    return _read_json_object(
        folder / CONFIG_NAME,
        f"{source} has no {CONFIG_NAME}, so it is not a checkpoint; save one with save_pretrained",
    )


def find_weights(folder: Path) -> list[Path]:
    """The files with a checkpoint's weights; safetensors take precedence over the old format.

    Raises:
        CheckpointError: there are none, or an index names a missing file.
    """
    for single, index, _ in (SAFETENSORS_FILES, PICKLE_FILES):
        if (folder / single).is_file():
            return [folder / single]
        if (folder / index).is_file():
            weight_map = _read_json_object(folder / index, "").get("weight_map")
            if not isinstance(weight_map, dict) or not weight_map:
                raise CheckpointError(f"{folder / index} has no weight_map; download or copy the checkpoint again")
            shards = sorted({str(name) for name in weight_map.values()})
            missing = [name for name in shards if Path(name).name != name or not (folder / name).is_file()]
            if missing:
                raise CheckpointError(
                    f"{folder} lacks {', '.join(missing)}, which {index} names; download or copy the checkpoint again",
                    "not_found",
                )
            return [folder / name for name in shards]
    if (folder / EXPORT_NAME).is_file():
        raise CheckpointError(
            f"{folder} is an exported model, which jobs run as --model; PyTorch loads the checkpoint that it came from",
            "not_found",
        )
    raise CheckpointError(
        f"{folder} has no weights: neither {SAFETENSORS_FILES[0]} nor {PICKLE_FILES[0]} nor an index of shards; "
        "save the model into it with save_pretrained, or copy its weights there",
        "not_found",
    )


def checkpoint_fingerprint(folder: str | PathLike[str]) -> str:
    """Twelve hexadecimal digits that identify a checkpoint's configuration, weights, tokenizer and decoding.

    They depend on the content alone, not on the folder. Reads every byte (a second or two for the full-size model).

    Raises:
        CheckpointError: there is no `config.json`, or there are no weights.
    """
    folder = Path(folder)
    if not (folder / CONFIG_NAME).is_file():
        raise CheckpointError(f"{folder} has no {CONFIG_NAME}, so it is not a checkpoint", "not_found")
    paths = [
        folder / CONFIG_NAME,
        folder / DECODING_NAME,
        *_graphs_or_weights(folder),
        *(folder / name for name in TOKENIZER_FILES),
    ]
    total = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        total.update(f"{path.name} {file_hash(path)}\n".encode())
    return total.hexdigest()[:12]


def _graphs_or_weights(folder: Path) -> list[Path]:
    if not (folder / EXPORT_NAME).is_file():
        return find_weights(folder)
    return [folder / name for name in EXPORT_FILES]


def _read_json_object(path: Path, if_missing: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(if_missing or f"there is no {path}", "not_found") from None
    except PermissionError:
        raise CheckpointError(f"{path} is not readable; check its permissions", "access_denied") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}); download or copy it again") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must contain a JSON object, not {type(content).__name__}")
    return content


def _has_weights(names: Iterable[str], files: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for name in names for pattern in files)


def _download_from_hub(hub_id: str, options: dict[str, Any], inner: str, weights: bool) -> Path:
    from huggingface_hub import errors, snapshot_download

    def download(*files: str) -> Path:
        patterns = [f"{inner}/{name}" if inner else name for name in (*OTHER_FILES, *files)]
        return Path(snapshot_download(hub_id, allow_patterns=patterns, **options))

    try:
        folder = download(*(SAFETENSORS_FILES if weights else ()))
        names = (path.name for path in (folder / inner).glob("*"))
        if weights and (folder / inner / EXPORT_NAME).is_file():
            folder = download(*EXPORT_FILES)
        elif weights and not _has_weights(names, (*SAFETENSORS_FILES, *PICKLE_FILES)):
            folder = download(*PICKLE_FILES)
        return folder
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"{hub_id} on the Hugging Face hub requires accepting its terms: do so on its page, then `hf auth login`",
            "access_denied",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{hub_id} has no revision {options['revision']!r}", "not_found") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{hub_id} is neither a local folder nor a model on the Hugging Face hub; check the name, or `hf auth "
            "login` if it is private",
            "not_found",
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{hub_id} is not a local folder, is not in the hub's cache, and the Hugging Face hub is unreachable; "
            "check the name and the network, or copy the checkpoint to a folder",
            "unreachable",
        ) from error
    except errors.HFValidationError as error:
        raise CheckpointError(f"{hub_id} is neither a local folder nor a hub id: {error}", "not_found") from error
    except errors.HfHubHTTPError as error:
        raise CheckpointError(f"{hub_id}: the Hugging Face hub answered: {error}", "unreachable") from error


@dataclass(frozen=True)
class _StoredFile:
    key: str
    name: str
    etag: str
    size: int


def _download_from_s3(uri: str, cache: Path, weights: bool, force_download: bool) -> Path:
    from filelock import FileLock  # huggingface_hub and torch depend on it

    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise CheckpointError(f"{uri} has no bucket name; write s3://bucket/prefix", "not_found")
    prefix = prefix.strip("/")
    with _s3_errors_explained(uri):
        client = _s3_client()
        for _ in range(_S3_TRIES):
            files = _list_checkpoint(client, uri, bucket, prefix, weights)
            content = hashlib.sha256("".join(f"{file.name} {file.etag}\n" for file in files).encode()).hexdigest()
            name = re.sub(r"[^\w.-]+", "-", f"{bucket}/{prefix}").strip("-")
            target = cache / f"{name[:100]}-{content[:16]}"
            if target.is_dir() and not force_download:
                return target
            _make_cache(cache)
            with FileLock(f"{target}.lock"):
                if target.is_dir() and force_download:
                    shutil.rmtree(target)
                if target.is_dir():
                    return target
                partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.partial-", dir=cache))
                try:
                    for file in files:
                        client.download_file(bucket, file.key, str(partial / file.name))
                    # Files overwritten during the download would mix two checkpoints.
                    if _list_checkpoint(client, uri, bucket, prefix, weights) == files:
                        partial.chmod(0o755)
                        partial.rename(target)
                        return target
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    raise CheckpointError(
        f"{uri} changed during each of {_S3_TRIES} downloads; wait until it is complete", "unreadable"
    )


def _make_cache(cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{cache} cannot be created to cache downloads ({error}); set cache_dir or HOME"
        ) from error


def _s3_client() -> Any:
    import boto3
    from botocore.config import Config

    # A separate session: boto3's default one is not thread-safe, and keeps the credentials that it finds first.
    return boto3.Session().client("s3", config=Config(retries={"mode": "standard", "max_attempts": 5}))


def _list_checkpoint(client: Any, uri: str, bucket: str, prefix: str, weights: bool) -> list[_StoredFile]:
    """The objects of a checkpoint directly under the prefix, by name."""
    start = f"{prefix}/" if prefix else ""
    found: list[_StoredFile] = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start, Delimiter="/"):
        for entry in page.get("Contents", []):
            name = entry["Key"].removeprefix(start)
            found.append(_StoredFile(entry["Key"], name, entry["ETag"], entry["Size"]))
    if not found:
        raise CheckpointError(f"there are no objects directly under {uri}; check the bucket and prefix", "not_found")
    names = [file.name for file in found]
    if CONFIG_NAME not in names:
        raise CheckpointError(
            f"{uri} has no {CONFIG_NAME} among its {len(names)} objects, so it is not a checkpoint; "
            "give the prefix to which a checkpoint was copied",
            "not_found",
        )
    formats: tuple[str, ...] = SAFETENSORS_FILES if _has_weights(names, SAFETENSORS_FILES) else PICKLE_FILES
    if EXPORT_NAME in names:
        formats = EXPORT_FILES
    patterns = (*OTHER_FILES, *(formats if weights else ()))
    return sorted(
        (file for file in found if any(fnmatch(file.name, pattern) for pattern in patterns)),
        key=lambda file: file.name,
    )


@contextmanager
def _s3_errors_explained(uri: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise CheckpointError(
            f"{uri}: no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile", "access_denied"
        ) from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _DENIED:
            raise CheckpointError(
                f"{uri}: S3 denies access ({code}); check the credentials and their permission to list and read there",
                "access_denied",
            ) from error
        if code in _NOT_FOUND:
            raise CheckpointError(f"{uri} does not exist ({code}); check the bucket and prefix", "not_found") from error
        raise CheckpointError(f"{uri}: S3 answered {error}", "unreachable") from error
    except BotoCoreError as error:
        raise CheckpointError(
            f"{uri}: S3 is unreachable ({error}); check the network and AWS_ENDPOINT_URL", "unreachable"
        ) from error
