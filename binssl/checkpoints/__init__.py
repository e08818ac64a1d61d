"""Checkpoints: safe reading, atomic writing, strict loading, extraction and conversion."""

from binssl.checkpoints.files import (
    FORMAT_VERSION,
    CheckpointError,
    file_sha256,
    find_state_dict,
    read_checkpoint,
    write_checkpoint,
)
from binssl.checkpoints.match import LoadReport, check_match, load_weights, select_part

__all__ = ['FORMAT_VERSION', 'CheckpointError', 'LoadReport', 'check_match', 'file_sha256', 'find_state_dict',
           'load_weights', 'read_checkpoint', 'select_part', 'write_checkpoint']
