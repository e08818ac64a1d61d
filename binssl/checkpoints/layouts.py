"""All layouts of published checkpoints by name.

A new layout is a function from a published name to ours, and a row in the table of its family.
"""

from __future__ import annotations

from binssl.checkpoints.layout import Conversion
from binssl.checkpoints.layouts_reactnet import reactnet_conversions
from binssl.checkpoints.layouts_recu import recu_conversions
from binssl.checkpoints.layouts_resnet import resnet_conversions
from binssl.checkpoints.layouts_selfsup import selfsup_conversions

CONVERSIONS: dict[str, Conversion] = {
    **reactnet_conversions(),
    **resnet_conversions(),
    **recu_conversions(),
    **selfsup_conversions(),
}
