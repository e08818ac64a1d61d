"""The scope that a Runner would set."""

import pytest
from mmengine.registry import DefaultScope, init_default_scope


@pytest.fixture(autouse=True)
def _scope(request):
    if DefaultScope.get_current_instance() is None:
        init_default_scope('binssl')
    with DefaultScope.overwrite_default_scope('binssl'):
        yield
