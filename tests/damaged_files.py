"""Damaged checkpoints, a kind by its seed: cut, flipped, zip headers changed, records of a wrong kind.

``damaged(data, seed)`` is what tests and chaos runs share. As a program it tries many on one training checkpoint, and
goes on where it was stopped: ``python tests/damaged_files.py CHECKPOINT --cases 5000 --table FILE.jsonl``.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import random
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from binssl.checkpoints import CheckpointError, load_model

DEEP: list = []
for _ in range(2000):
    DEEP = [DEEP]
BAD: list[Any] = [
    *(-5, -1, 10**9, 10**30, 1e9, -2.5, float('nan'), float('inf'), 'text', '', b'\xff\xfe', 1j, {}, [], [[1], 'a']),
    *({'type': 'os.system'}, {'type': 'Nothing'}, {'_scope_': 'evil'}, {3: 4}, torch.zeros(3), torch.zeros(2, 2) * 1j),
    *(torch.zeros(3, dtype=torch.int8), torch.eye(3).to_sparse(), torch.zeros(1).expand(10**6), DEEP),
]
CENTRAL, LOCAL = b'PK\x01\x02', b'PK\x03\x04'


def cut(data: bytes, draw: random.Random) -> bytes:
    """The file ends early."""
    return data[: draw.randrange(len(data))]


def flip(data: bytes, draw: random.Random) -> bytes:
    """Some bits anywhere."""
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 8])):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def flip_header(data: bytes, draw: random.Random) -> bytes:
    """One bit of the header of a zip record, of either kind."""
    changed = bytearray(data)
    mark = draw.choice([CENTRAL, LOCAL])
    place = draw.choice(_places(data, mark))
    changed[place + draw.randrange(46 if mark == CENTRAL else 30)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def mark_folder(data: bytes, draw: random.Random) -> bytes:
    """A record gets the attribute of a folder."""
    changed = bytearray(data)
    place = draw.choice(_places(data, CENTRAL)) + 38
    attributes = struct.unpack_from('<I', data, place)[0]
    struct.pack_into('<I', changed, place, attributes | 0x10)
    return bytes(changed)


def overwrite(data: bytes, draw: random.Random) -> bytes:
    """A block is zero, or another block of the file."""
    size = min(draw.choice([16, 512, 4096]), len(data) // 2)
    start, other = (draw.randrange(len(data) - size) for _ in range(2))
    block = draw.choice([bytes(size), data[other : other + size]])
    return data[:start] + block + data[start + size :]


def change_entry(data: bytes, draw: random.Random) -> bytes:
    """An entry of a dict or list anywhere in the content is of a wrong kind, or gone."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    _change(content, draw, BAD)
    return saved(content)


def change_json(data: bytes, draw: random.Random) -> bytes:
    """The same in the config of the model, or of the run."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    key = draw.choice(['model', 'model', 'config'])
    if draw.random() < 0.1:
        texts = ['{' * 5000, '[' * 100_000 + ']' * 100_000, '{"a": ' * 60 + '1' + '}' * 60, '']
        content['meta'][key] = draw.choice(texts)
        return saved(content)
    config = json.loads(content['meta'][key])
    _change(config, draw, [value for value in BAD if _is_json(value)])
    content['meta'][key] = json.dumps(config)
    return saved(content)


KINDS: list[Callable[[bytes, random.Random], bytes]] = [
    *(cut, flip, flip, flip_header, flip_header, mark_folder, overwrite),
    *(change_entry, change_entry, change_entry, change_json, change_json),
]


def damaged(data: bytes, seed: int) -> tuple[str, bytes]:
    """(kind, bytes) of the damage with this seed to the bytes of a training checkpoint."""
    kind = KINDS[seed % len(KINDS)]
    return kind.__name__, kind(data, random.Random(seed))


def _places(data: bytes, mark: bytes) -> list[int]:
    return [place for place in range(len(data)) if data.startswith(mark, place)]


def _change(content: Any, draw: random.Random, values: list[Any]) -> None:
    places: list[tuple[Any, Any]] = []
    left = [content]
    while left:
        node = left.pop()
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                left.append(node[key])
    tensors = [place for place in places if isinstance(place[0][place[1]], torch.Tensor)]
    others = [place for place in places if not isinstance(place[0][place[1]], torch.Tensor)]
    node, key = draw.choice(tensors if tensors and draw.random() < 0.3 else others)  # most entries are tensors
    if draw.random() < 0.15:
        del node[key]
    else:
        node[key] = draw.choice(values)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, RecursionError):
        return False
    return True


def saved(content: Any) -> bytes:
    """The bytes of a checkpoint, however deep it is."""
    file, limit = io.BytesIO(), sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        torch.save(content, file)
    finally:
        sys.setrecursionlimit(limit)
    return file.getvalue()


def outcome(path: Path, right: dict[str, torch.Tensor]) -> str:
    """'refused', 'right' weights, or 'WRONG' ones; any other exception than a CheckpointError comes out."""
    try:
        read = load_model(path).state_dict()
    except CheckpointError:
        return 'refused'
    same = read.keys() == right.keys() and all(torch.equal(value, right[key]) for key, value in read.items())
    return 'right' if same else 'WRONG'


def main() -> None:
    """Try the cases that the table does not have yet, one line each, and print how many of each kind ended how."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--cases', type=int, default=5000)
    parser.add_argument('--table', type=Path, default=Path('damaged_files.jsonl'))
    args = parser.parse_args()
    data, right = args.checkpoint.read_bytes(), load_model(args.checkpoint).state_dict()
    rows = [json.loads(line) for line in args.table.read_text().splitlines()] if args.table.exists() else []
    done = {row['seed'] for row in rows}
    with args.table.open('a') as table, tempfile.TemporaryDirectory() as folder:
        for seed in (seed for seed in range(args.cases) if seed not in done):
            kind, content = damaged(data, seed)
            file = Path(folder, 'damaged.pth')
            file.write_bytes(content)
            try:
                ended = outcome(file, right)
            except Exception as error:  # what must not come is what is counted
                ended = f'{type(error).__name__}: {error}'[:200]
            rows.append(dict(seed=seed, kind=kind, ended=ended))
            table.write(json.dumps(rows[-1]) + '\n')
            table.flush()
    for (kind, ended), count in sorted(collections.Counter((row['kind'], row['ended']) for row in rows).items()):
        print(f'{kind:14}{count:6}  {ended}')


if __name__ == '__main__':
    main()
