"""Publishing on the Hugging Face hub: configurations, tokenizers, processors and models."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any


class Publishable:
    """A base of classes with `save_pretrained(folder)`, whose files can be uploaded."""

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        **save_options: Any,
    ) -> str:
        """Upload what `save_pretrained` writes, in one commit.

        Args:
            repo_id: "user/name"; the repository is created if necessary.
            commit_message, commit_description: of the commit; the message names the class by default.
            private: of a new repository; None is the account's default.
            token: an access token; None is the one of `hf auth login`.
            revision: a branch, which is created if necessary; None is the main one.
            create_pr: open a pull request instead of committing to the branch.
            save_options: further arguments of `save_pretrained`.

        Returns:
            The address of the commit.

        Raises:
            huggingface_hub.errors.HfHubHTTPError: the hub refuses; the message says why.
        """
        from huggingface_hub import HfApi

        hub = HfApi(token=token)
        repository = hub.create_repo(repo_id, private=private, exist_ok=True).repo_id
        if revision is not None and not create_pr:
            hub.create_branch(repository, branch=revision, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            saved: Any = self
            saved.save_pretrained(Path(folder), **save_options)
            commit = hub.upload_folder(
                repo_id=repository,
                folder_path=folder,
                commit_message=commit_message or f"Upload {type(self).__name__}",
                commit_description=commit_description,
                revision=revision,
                create_pr=create_pr,
            )
        return str(commit.commit_url)
