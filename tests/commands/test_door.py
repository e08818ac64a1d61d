"""What N processes would meet is said by the one check before them."""

import pytest

from binssl.engine.training import parse_training, train, training_config
from binssl.registry import BACKBONES, ConfigError

MOCO = 'configs/selfsup/moco/reactnet_real_digits.py'


@pytest.mark.parametrize(
    ('processes', 'options', 'words'),
    [
        ('1', ['global_batch_size=200'], 'global_batch_size 200 must be a multiple of'),
        ('2', ['queue_length=384'], "nothing reads 'queue_length'"),
        ('2', ['model.queue_length=384'], 'queue_length 384 must be a multiple of the global batch 256'),
        ('1', ['schedules.lr.curv="cosine"'], 'curv'),
        ('1', ['schedules.momentum.curve=sine'], "no curve is called 'sine'"),
        ('1', ['load_from=a.pth', 'pretrained=b.pth'], 'both say what to start with'),
    ],
)
def test_check_says(processes: str, options: list[str], words: str, tmp_path) -> None:
    with pytest.raises(ConfigError, match='(?s)' + words.replace('(', r'\(')):
        train(parse_training([MOCO, '--check', processes, '--work-dir', str(tmp_path), '--cfg-options', *options]))


def test_check_for_a_cluster_counts_its_processes_and_not_this_machines(tmp_path) -> None:
    flags = [MOCO, '--work-dir', str(tmp_path), '--check-cluster']
    train(parse_training([*flags, '4']))  # nothing is wrong, and nothing is trained
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r'512 must be a multiple of the global batch 1024 \(128 x 8 process'):
        train(parse_training([*flags, '8']))
    with pytest.raises(ConfigError, match='a run has at least 1 process, not 0'):
        train(parse_training([MOCO, '--work-dir', str(tmp_path), '--check', '0']))
    with pytest.raises(ConfigError, match='a run has at least 1 process, not 0'):
        train(parse_training([*flags, '0']))


def test_amp_leaves_a_precision_of_the_config_alone() -> None:
    chosen = training_config(parse_training([MOCO, '--amp', '--cfg-options', 'optim_wrapper.precision=bf16']))
    assert chosen.optim_wrapper.precision == 'bf16'
    assert training_config(parse_training([MOCO, '--amp'])).optim_wrapper.precision == 'fp16'


@pytest.mark.parametrize('wrong', [dict(channels=8), dict(type='')])
def test_values_of_another_kind_name_the_part(wrong: dict) -> None:
    with pytest.raises(ConfigError, match='backbone'):
        BACKBONES.build(dict(dict(type='ReActNet', strides=[1]), **wrong))
