"""What goes wrong under the embedded server, as a sentence for the operator."""

import errno
import os
from pathlib import Path

import pytest

from evil2root.adapters.postgres.cluster import explain, explain_output


class TestExplain:
    @pytest.mark.parametrize(
        ("number", "advice"),
        [
            (errno.ENOSPC, "is full: free some space"),
            (errno.EACCES, "cannot be written"),
            (errno.EIO, "cannot be used"),
        ],
    )
    def test_what_the_file_system_refuses_in_a_sentence(self, number: int, advice: str) -> None:
        error = OSError(number, os.strerror(number), "/data/postgres.json")

        assert advice in explain(error, Path("/data"))

    def test_a_full_disk_under_the_server_in_a_sentence(self) -> None:
        words = "2026-01-01 UTC [7] FATAL:  could not write lock file: No space left on device\n"

        assert "The disk that holds /data is full" in explain_output(words, Path("/data"), 1)
