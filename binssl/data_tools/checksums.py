"""Whether an archive is the published one: its MD5, computed once."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from binssl.data_tools.placing import place_file
from binssl.data_tools.progress import progress_bar
from binssl.registry import DataError

_BLOCK = 1 << 22


def md5_of(file: Path) -> str:
    """The MD5 of a file's bytes, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(file, 'rb') as content, progress_bar(f'checksum of {file.name}', file.stat().st_size) as advance:
        while block := content.read(_BLOCK):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()


def check_md5(file: Path, md5: str, marker: Path | None = None) -> None:
    """Compare the MD5 of ``file`` with ``md5``.

    Args:
        file: 150 GB of it take some ten minutes.
        md5: the published one.
        marker: a small file that remembers a comparison which held, for a run after an interruption. It counts
            while size and time of ``file`` stay what they were.

    Raises:
        DataError: they differ.
    """
    state = file.stat()
    seen = json.dumps([md5, state.st_size, state.st_mtime_ns])
    if marker is not None and marker.is_file() and marker.read_text(encoding='utf-8') == seen:
        return
    found = md5_of(file)
    if found != md5:
        raise DataError(
            f'{os.fspath(file)!r} ({state.st_size:,} bytes) has the MD5 {found}, the published one {md5}: it is cut '
            'off or damaged and has to be fetched again; if it is another edition on purpose, give --skip-checksums'
        )
    if marker is not None:
        place_file(marker, lambda beside: beside.write_text(seen, encoding='utf-8'))
