"""How documents are reached: the options of the jobs that read them from S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tyro

from pipelines.options import InputAccess
from pipelines.storage.files import S3Options


@dataclass(frozen=True)
class InputAccessOptions:
    """Options of a job that reads documents from S3."""

    no_sign_request: tyro.conf.FlagCreatePairsOff[bool] = False
    """Read documents from S3 without signing the requests, as public buckets allow. Without AWS credentials this is so
    by itself."""
    request_payer: Literal["requester"] | None = None
    """requester: this account pays for what is read from requester-pays buckets."""

    def input_access(self) -> InputAccess:
        """How documents are reached.

        Raises:
            ValueError: the options make no sense.
        """
        return InputAccess(S3Options(not self.no_sign_request, self.request_payer is not None))
