"""Reading image files as arrays: Pillow's picture, whatever the file is."""

import os
import socket
import struct
import subprocess
from contextlib import suppress

import numpy as np
import pytest
from photo_like import make_photo
from PIL import Image

from binssl.data_tools.read_all import inspect_files
from binssl.datasets import decode
from binssl.datasets.decode import UNREADABLE, is_plain_jpeg, read_array, read_image

JPEGS = {
    'half colours': dict(quality=90),
    'whole colours': dict(quality=95, subsampling=0),
    'half across': dict(quality=60, subsampling=1),
    'progressive': dict(quality=80, progressive=True),
    'with EXIF': dict(quality=90, exif=Image.Exif()),
    'with a profile': dict(quality=90, icc_profile=b'x' * 3000),
    'with a remark': dict(quality=90, comment=b'made up'),
}


@pytest.mark.parametrize('kind', JPEGS)
@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_jpegs_equal_pillows_and_are_left_to_cv2(tmp_path, monkeypatch, kind, mode):
    path = tmp_path / 'photo.jpg'
    settings = {key: value for key, value in JPEGS[kind].items() if mode == 'RGB' or key != 'subsampling'}
    Image.fromarray(make_photo(height=75, width=101)).convert(mode).save(path, **settings)
    expected = np.asarray(read_image(path))
    monkeypatch.delattr(decode, 'read_image')
    pixels = read_array(path)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_exif_turns_it_upright(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(make_photo(height=40, width=64)).save(tmp_path / f'turned.{suffix}', exif=exif)
    pixels = read_array(tmp_path / f'turned.{suffix}')
    assert pixels.shape == ((40, 64, 3) if orientation < 5 else (64, 40, 3))
    np.testing.assert_array_equal(pixels, np.asarray(read_image(tmp_path / f'turned.{suffix}')))


@pytest.mark.parametrize(
    ('mode', 'suffix'),
    [
        ('CMYK', 'jpg'),
        ('CMYK', 'tif'),
        ('P', 'png'),
        ('P', 'gif'),
        ('RGBA', 'png'),
        ('LA', 'png'),
        ('L', 'png'),
        ('1', 'png'),
        ('RGB', 'webp'),
        ('RGB', 'bmp'),
        ('RGB', 'png'),
        ('RGB', 'ppm'),
    ],
)
def test_every_mode_becomes_pillows_rgb(tmp_path, mode, suffix):
    path = tmp_path / f'image.{suffix}'
    Image.fromarray(make_photo(height=30, width=44)).convert(mode).save(path)
    pixels = read_array(path)
    assert pixels.shape == (30, 44, 3)
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, np.asarray(read_image(path)))


def levels() -> np.ndarray:
    """A ramp of gray levels, black and white among them, uint8 (16, 16)."""
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


def save_deep_pgm(file, white):
    scaled = (levels().astype(np.float64) * white / 255).round().astype('>u2')
    file.write_bytes(b'P5 16 16 %d\n' % white + scaled.tobytes())


def save_tiff(file, bits, photometric):
    """A TIFF of one strip with unsigned samples of 16 or 12 bits (TIFF 6.0, section 2)."""
    scaled = np.round(levels().astype(np.float64) * ((1 << bits) - 1) / 255).astype(np.uint16).ravel()
    if photometric == 0:
        scaled = ((1 << bits) - 1) - scaled
    pairs = scaled.astype(np.uint32).reshape(-1, 2)
    packed = (pairs[:, 0] << 12 | pairs[:, 1]).tolist()
    content = scaled.astype('<u2').tobytes() if bits == 16 else b''.join(pair.to_bytes(3, 'big') for pair in packed)
    tags = [(256, 16), (257, 16), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 16)]
    tags.append((279, len(content)))
    entries = b''.join(struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags)
    file.write_bytes(
        struct.pack('<2sHI', b'II', 42, 8 + len(content)) + content + struct.pack('<H', len(tags)) + entries + bytes(4)
    )


DEEP = {
    'a.png': lambda file: Image.fromarray(levels().astype(np.uint16) * 257).save(file),
    'a.tif': lambda file: Image.fromarray(levels().astype(np.uint16) * 257).save(file),
    'big_endian.tif': lambda file: Image.frombytes(
        'I;16B', (16, 16), (levels().astype('>u2') * 257).astype('>u2').tobytes()
    ).save(file),
    'white_is_zero.tif': lambda file: save_tiff(file, 16, 0),
    'black_is_zero.tif': lambda file: save_tiff(file, 16, 1),
    'twelve_bits.tif': lambda file: save_tiff(file, 12, 1),
    'whole.ppm': lambda file: save_deep_pgm(file, 65535),
    'twelve_bits.ppm': lambda file: save_deep_pgm(file, 4095),
    'png_by_another_name.jpg': lambda file: Image.fromarray(levels().astype(np.uint16) * 257).save(file, format='PNG'),
}


@pytest.mark.parametrize('name', DEEP)
@pytest.mark.parametrize('read', [read_image, read_array])
def test_more_than_eight_bits_are_scaled_from_black_to_white(tmp_path, name, read):
    DEEP[name](tmp_path / name)
    np.testing.assert_array_equal(read(str(tmp_path / name)), np.repeat(levels()[..., None], 3, axis=2))


@pytest.mark.parametrize('numbers', [np.float32, np.int32])
@pytest.mark.parametrize('read', [read_image, read_array])
def test_numbers_without_a_white_are_refused(tmp_path, numbers, read):
    Image.fromarray(levels().astype(numbers)).save(tmp_path / 'a.tif')
    with pytest.raises(UNREADABLE, match=r'mode [FI], .*nothing says what is black and white: save it with 8 bits'):
        read(str(tmp_path / 'a.tif'))


POSTSCRIPT = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n'
READERS = {
    'PIL images': read_image,
    'arrays': read_array,
    'tools/analyze_data.py': lambda path: inspect_files([path]),
    "a library's data set": lambda path: Image.open(path).load(),
}


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('name', ['x.jpg', 'x.png', 'x.eps', 'x.tif'])
@pytest.mark.parametrize(
    'content', [POSTSCRIPT, struct.pack('<4sII', b'\xc5\xd0\xd3\xc6', 32, 80) + bytes(20) + POSTSCRIPT]
)
def test_no_image_starts_a_program(tmp_path, monkeypatch, reader, name, content):
    (tmp_path / name).write_bytes(content)

    def refuse(*arguments, **_):
        raise AssertionError(f'{arguments} was started')

    monkeypatch.setattr(subprocess, 'Popen', refuse)
    with suppress(*UNREADABLE):
        [facts] = READERS[reader](str(tmp_path / name))
        assert facts.problem == 'no image of a known format'


@pytest.mark.parametrize('kind', ['a pipe', 'a link to a pipe', 'a device', 'a folder', 'a socket'])
@pytest.mark.parametrize('reader', list(READERS)[:3])
def test_what_is_no_file_is_refused_without_waiting(tmp_path, kind, reader):
    path = tmp_path / 'x.jpg'
    if kind == 'a pipe':
        os.mkfifo(path)
    elif kind == 'a link to a pipe':
        os.mkfifo(tmp_path / 'pipe')
        path.symlink_to('pipe')
    elif kind == 'a device':
        path.symlink_to('/dev/zero')
    elif kind == 'a folder':
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    problem = None
    try:
        [facts] = READERS[reader](str(path))
        problem = facts.problem
    except OSError as error:
        problem = str(error)
    assert ('Is a directory' if kind == 'a folder' else 'is no regular file') in problem


def test_of_an_animation_it_is_the_first_picture(tmp_path):
    first, second = (Image.fromarray(make_photo(seed)).quantize(64) for seed in (1, 2))
    first.save(tmp_path / 'moving.gif', save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_array(tmp_path / 'moving.gif'), np.asarray(first.convert('RGB')))


def test_the_suffix_does_not_matter(tmp_path):
    Image.fromarray(make_photo()).save(tmp_path / 'image.JPEG', format='png')  # ImageNet has one
    np.testing.assert_array_equal(read_array(tmp_path / 'image.JPEG'), make_photo())


def test_bytes_after_the_end_are_passed_over_as_by_pillow(tmp_path):
    Image.fromarray(make_photo()).save(tmp_path / 'image.jpg')
    expected = read_array(tmp_path / 'image.jpg')
    with open(tmp_path / 'image.jpg', 'ab') as file:
        file.write(b'\0\0\n')
    np.testing.assert_array_equal(read_array(tmp_path / 'image.jpg'), expected)


@pytest.mark.parametrize('share', [0.0, 0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_a_truncated_file_is_an_error_of_pillows(tmp_path, share, suffix):
    path = tmp_path / f'torn.{suffix}'
    Image.fromarray(make_photo()).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UNREADABLE):
        read_array(path)


@pytest.mark.parametrize('content', [b'\xff\xd8\xff\xd9', b'\xff\xd8\xff\xe0 torn \xff\xd9', b'no image'])
def test_what_is_no_image_is_an_error(tmp_path, content):
    (tmp_path / 'image.jpg').write_bytes(content)
    with pytest.raises(UNREADABLE):
        read_array(tmp_path / 'image.jpg')
    with pytest.raises(FileNotFoundError):
        read_array(tmp_path / 'nowhere.jpg')


def test_headers_of_any_form_are_read():
    def jpeg(marker: int, bits: int = 8, channels: int = 3, before: bytes = b'') -> bytes:
        frame = bytes([0xFF, marker, 0, 17, bits, 0, 9, 0, 7, channels]) + bytes(12)
        return b'\xff\xd8' + before + frame + b'\xff\xd9'

    assert is_plain_jpeg(jpeg(0xC0))
    assert is_plain_jpeg(jpeg(0xC2, channels=1))
    assert is_plain_jpeg(jpeg(0xC1, before=b'\xff\xe1\0\x04ab\xff\xff\xff\xc4\0\x03x'))  # filled up, and a table
    assert not is_plain_jpeg(jpeg(0xC0, channels=4))
    assert not is_plain_jpeg(jpeg(0xC1, bits=12))
    assert not is_plain_jpeg(jpeg(0xC9))  # arithmetic coding
    assert not is_plain_jpeg(jpeg(0xC0)[:-2])
    assert not is_plain_jpeg(b'')
