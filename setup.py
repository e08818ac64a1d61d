"""Installs binssl; the extras name what each optional part needs."""

from pathlib import Path

from setuptools import find_packages, setup

digits = ['scikit-learn>=1.3']
plots = ['matplotlib>=3.7']
tensorboard = ['tensorboard>=2.12']
lars = ['timm>=1.0']
detection = ['torchmetrics>=1.4', 'pycocotools>=2.0.8']
umap = ['umap-learn>=0.5.7']  # numba with it
safetensors = ['safetensors>=0.4']
dali = ['nvidia-dali-cuda120>=2.4; platform_system == "Linux"']  # 1 GB with what it brings: not among test
test = [
    'pytest>=8',
    'pytest-xdist>=3.8',
    'ruff>=0.6',
    'mypy>=1.11',
    *digits,
    *plots,
    *tensorboard,
    *lars,
    *detection,
    *safetensors,
]

setup(
    name='binssl',
    version='0.1.0',
    description='Train 1-bit neural networks, with and without labels, from Python config files',
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['binssl', 'binssl.*']),
    python_requires='>=3.10',
    install_requires=[
        'torch>=2.6',
        'torchvision>=0.21',
        'mmengine==0.10.7',
        'mmcv-lite>=2.1',
        'numpy>=1.24',
        'pillow>=9.5',
        'rich',
        # mmengine brings opencv-python, which does not import where libGL is missing; tools/environment.sh mends that
        # mmengine's collect_env imports distutils, which Python 3.12 has only through setuptools
        'setuptools; python_version >= "3.12"',
    ],
    extras_require={
        'digits': digits,
        'plots': plots,
        'tensorboard': tensorboard,
        'lars': lars,
        'detection': detection,
        'umap': umap,
        'safetensors': safetensors,
        'dali': dali,
        'test': test,
    },
)
