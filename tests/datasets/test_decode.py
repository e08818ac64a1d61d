"""Reading image files as arrays: Pillow's picture, whatever the file is."""

import numpy as np
import pytest
from photo_like import make_photo
from PIL import Image

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


def test_sixteen_bits_become_what_pillow_makes_of_them(tmp_path):
    Image.fromarray(257 * make_photo()[..., 0].astype(np.uint16)).save(tmp_path / 'deep.png')
    np.testing.assert_array_equal(read_array(tmp_path / 'deep.png'), np.asarray(read_image(tmp_path / 'deep.png')))


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
