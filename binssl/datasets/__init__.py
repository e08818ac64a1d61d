"""Data sets, samplers and transforms: a sample is a function of (seed, epoch, index)."""

from binssl.datasets.base import ImageDataset, whole_batch
from binssl.datasets.build import build_dataset
from binssl.datasets.cached_features import CachedFeatures
from binssl.datasets.checks import check_same_classes
from binssl.datasets.cifar import CIFAR10, CIFAR100
from binssl.datasets.dali import DaliImages
from binssl.datasets.digits import Digits
from binssl.datasets.download import download_missing
from binssl.datasets.imagenet import ImageNet, Places205, SplitFolder
from binssl.datasets.images import ImageFolder, ImageList, Unlabeled
from binssl.datasets.in_memory import InMemoryImages
from binssl.datasets.sampler import EpochSampler
from binssl.datasets.subsets import BankAndQuery, FewLabels, ImageNetSubset, SomeOfEachClass
from binssl.datasets.tiny_imagenet import TinyImageNet
from binssl.datasets.torch_dataset import TorchDataset
from binssl.datasets.voc import VOC07
from binssl.datasets.voc_detection import Annotation, VOCDetection, read_annotation
