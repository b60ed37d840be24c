"""The one module of this package that opens files: the folder of a policy, and the files its patterns name."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from twinwall.rules.document import LARGEST


class Folder:
    """Files as a policy names them: relative to the policy's own folder."""

    def __init__(self, policy: str) -> None:
        self.name = policy
        self.folder = os.path.dirname(policy)

    def open_file(self, name: str) -> str:
        """The text of a file; `name` is the policy's or one that `find_files` gave.

        Raises OSError, UnicodeDecodeError, and ValueError for a file larger than any policy.
        """
        with Path(name).open("rb") as file:
            data = file.read(4 * LARGEST + 1)
        if len(data) > 4 * LARGEST:
            raise OSError(f"larger than {4 * LARGEST >> 20} MiB")
        return data.decode("utf-8-sig")

    def find_files(self, pattern: str) -> list[str]:
        """The files that a pattern (`*`, `?`, `[…]`, `**`) matches, sorted."""
        whole = os.path.join(self.folder, pattern)
        return sorted(name for name in glob.glob(whole, recursive=True) if os.path.isfile(name))
