"""The scope that a Runner would set, and the made-up ImageNet and CIFAR-10."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope, init_default_scope

sys.path.insert(0, str(Path(__file__).parents[1]))
from imagenet_folder import make_imagenet_folder
from made_up_cifar import write_cifar10


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    if DefaultScope.get_current_instance() is None:
        init_default_scope('binssl')
    with DefaultScope.overwrite_default_scope('binssl'):
        yield


@pytest.fixture(scope='session')
def shared_imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 + 16 JPEGs in 4 classes with lists; not to be changed."""
    return make_imagenet_folder(tmp_path_factory.mktemp('imagenet'))


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """12 + 4 JPEGs of one's own."""
    return make_imagenet_folder(tmp_path / 'imagenet', train=12, val=4, classes=3)


@pytest.fixture(scope='session')
def shared_cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 + 20 images, not to be changed."""
    return write_cifar10(tmp_path_factory.mktemp('cifar10'))
