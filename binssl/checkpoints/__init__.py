"""Checkpoints: safe reading, atomic writing, strict loading, extraction and conversion."""

from binssl.checkpoints.convert import (
    CONVERSIONS,
    convert_checkpoint,
    published_trunk,
    published_weights,
    with_counters,
)
from binssl.checkpoints.files import FORMAT_VERSION, CheckpointError, find_state_dict, read_checkpoint, write_checkpoint
from binssl.checkpoints.layout import Conversion
from binssl.checkpoints.match import LEFT_OUT, LoadReport, check_match, differing_network, load_weights, select_part
from binssl.checkpoints.record import check_alike, read_json, read_record
from binssl.checkpoints.weights import (
    MULTI_STAGE,
    TRUNK,
    Trained,
    extract_weights,
    load_model,
    read_trained,
    trained_from,
)
