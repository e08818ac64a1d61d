"""How many classes a classifier has, where its config leaves that to the training data."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.config import Config

from binssl.core.command_line import told_as_errors
from binssl.core.console import quiet
from binssl.registry import DATASETS, ConfigError


def settle_classes(cfg: Config) -> None:
    """Write the training data's number of classes where ``model.head.num_classes`` is None, and build nothing else.

    Raises:
        ConfigError: the data cannot be built, do not say how many classes they have, or have fewer than two.
    """
    head = (cfg.get('model') or {}).get('head')
    if not isinstance(head, Mapping) or 'num_classes' not in head or head['num_classes'] is not None:
        return
    with quiet(), told_as_errors('the data cannot be built'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    classes = getattr(dataset, 'num_classes', None)
    if not classes or classes < 2:
        said = f'have {classes} class' if classes else 'do not say how many classes they have'
        raise ConfigError(
            f'model.head.num_classes is left to the training data, and these {said}: a classifier needs '
            'two at least; take labelled data, class folders or lists with lines PATH LABEL'
        )
    cfg.model.head.num_classes = int(classes)
