"""torchvision's classifiers, the teachers of ReActNet and ReCU, through the converter and as frozen teachers."""

import pytest
import torch
import torchvision

import binssl
from binssl.checkpoints import CheckpointError, convert_checkpoint
from binssl.registry import ALGORITHMS


@pytest.fixture(scope='module', params=[18, 34, 50])
def theirs(request):
    torch.manual_seed(0)
    return request.param, torchvision.models.get_model(f'resnet{request.param}').eval()


def test_gives_torchvisions_logits(theirs, tmp_path):
    depth, network = theirs
    torch.save(network.state_dict(), tmp_path / f'resnet{depth}.pth')
    report = convert_checkpoint(tmp_path / f'resnet{depth}.pth', tmp_path / 'ours.pth', f'torchvision_resnet{depth}')
    assert 'dropped' not in report
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(binssl.load_model(tmp_path / 'ours.pth')(images), network(images))


def test_is_a_frozen_teacher_with_its_classifier(theirs, tmp_path):
    depth, network = theirs
    torch.save(network.state_dict(), tmp_path / f'resnet{depth}.pth')
    teacher = ALGORITHMS.build(
        {
            'type': 'FrozenTeacher',
            'backbone': {'type': 'TorchvisionModel', 'name': f'resnet{depth}'},
            'head': {'type': 'LinearHead', 'in_channels': network.fc.in_features, 'num_classes': 1000},
            'checkpoint': str(tmp_path / f'resnet{depth}.pth'),
            'layout': f'torchvision_resnet{depth}',
        }
    )
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(teacher(images), network(images))
    assert teacher.trained_with['mean'] == [123.675, 116.28, 103.53]


def test_another_depth_is_a_table(tmp_path):
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'missing .*\n +backbone\.layer1\.2\.conv1\.weight'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'torchvision_resnet34')
