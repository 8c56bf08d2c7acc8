"""The dataset `npz`: points or images from a file of numpy."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gandiag.datasets.data import Data
from gandiag.datasets.npz import Npz
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput

SIDES = st.integers(4, 6)  # pixels; never 1 or 3, which could be channels
IMAGE_SHAPES = st.one_of(
    st.tuples(st.integers(2, 9), SIDES, SIDES),
    st.tuples(st.integers(2, 9), SIDES, SIDES, st.sampled_from([1, 3])),
    st.tuples(st.integers(2, 9), st.sampled_from([1, 3]), SIDES, SIDES),
)
SETTINGS = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def save_npz(folder: Path, **arrays: NDArray[Any]) -> str:
    """Write an .npz file and return its path."""
    path = folder / "a.npz"
    np.savez(path, **arrays)
    return str(path)


def sorted_samples(data: Data) -> list[tuple[list[float], int]]:
    """Return all flat samples with their labels, training and held-out, sorted."""
    assert data.labels is not None
    assert data.held_out_labels is not None
    samples = torch.cat([data.train, data.held_out]).flatten(1)
    labels = torch.cat([data.labels, data.held_out_labels])
    return sorted(zip(samples.tolist(), labels.tolist(), strict=True))


def channels_first(array: NDArray[Any]) -> NDArray[Any]:
    """Return images as ``(N, C, H, W)``, by other means than the code under test."""
    if array.ndim == 3:
        return array.reshape(array.shape[0], 1, *array.shape[1:])
    return array if array.shape[1] in (1, 3) else array.transpose(0, 3, 1, 2)


@SETTINGS
@given(array=hnp.arrays(np.uint8, IMAGE_SHAPES))
def test_byte_images_round_trip(tmp_path: Path, array: NDArray[Any]) -> None:
    """Images of bytes in any layout are scaled to [-1, 1], each with its own label."""
    labels = np.arange(len(array), dtype=np.int32)
    data = Npz(save_npz(tmp_path, x=array, y=labels), labels="y").load()
    assert data.train.dtype == torch.float32
    assert data.shape == channels_first(array).shape[1:]
    found = [(np.rint((np.array(x) + 1) * 127.5), label) for x, label in sorted_samples(data)]
    for image, label in found:
        assert image.tolist() == channels_first(array)[label].ravel().tolist()
    assert sorted(label for _, label in found) == labels.tolist()


@SETTINGS
@given(
    array=st.sampled_from(["<f2", "<f4", "<f8", ">f4"]).flatmap(
        lambda dtype: hnp.arrays(dtype, IMAGE_SHAPES, elements=st.floats(-1, 1, width=16))
    )
)
def test_float_images_round_trip(tmp_path: Path, array: NDArray[Any]) -> None:
    """Images of floats of any width and byte order keep their values."""
    labels = np.arange(len(array))
    found = sorted_samples(Npz(save_npz(tmp_path, x=array, y=labels), labels="y").load())
    for image, label in found:
        assert image == channels_first(array)[label].astype(np.float32).ravel().tolist()


@SETTINGS
@given(
    array=st.sampled_from([np.float32, np.float64, np.int16, np.int64]).flatmap(
        lambda dtype: hnp.arrays(
            dtype, st.tuples(st.integers(2, 20), st.integers(1, 4)), elements=st.integers(-99, 99)
        )
    )
)
def test_points_round_trip(tmp_path: Path, array: NDArray[Any]) -> None:
    """Points from an .npy file of any number type keep their units; each appears once."""
    path = tmp_path / "points.npy"
    np.save(path, array)
    data = Npz(str(path)).load()
    assert data.labels is None
    assert data.held_out_labels is None
    found = torch.cat([data.train, data.held_out])
    assert found.dtype == torch.float32
    assert sorted(found.tolist()) == sorted(array.astype(float).tolist())


@pytest.mark.parametrize(
    ("count", "share", "held_out"), [(100, 0.1, 10), (2, 0.01, 1), (2, 0.99, 1), (10, 0.25, 2)]
)
def test_share_is_held_out(tmp_path: Path, count: int, share: float, held_out: int) -> None:
    """The given share is held out: at least one sample, and at most all but one."""
    data = Npz(save_npz(tmp_path, x=np.zeros((count, 2))), held_out_share=share).load()
    assert len(data.held_out) == held_out
    assert len(data.train) == count - held_out


def test_seed_fixes_split(tmp_path: Path) -> None:
    """The same seed holds out the same samples, and another seed holds out others."""
    path = save_npz(tmp_path, x=np.arange(100.0).reshape(100, 1))
    first, again, other = (Npz(path, seed=seed).load() for seed in (0, 0, 1))
    assert torch.equal(first.held_out, again.held_out)
    assert not torch.equal(first.held_out, other.held_out)


def test_ambiguous_channels_need_the_option(tmp_path: Path) -> None:
    """If two axes may be the channel axis, the option decides; without it, the message says so."""
    path = save_npz(tmp_path, x=np.zeros((2, 3, 4, 3), np.uint8))
    with pytest.raises(BadInput, match=r"\(2, 3, 4, 3\), where more than one axis can be channels"):
        Npz(path).load()
    assert Npz(path, channels="first").load().shape == (3, 4, 3)
    assert Npz(path, channels="last").load().shape == (3, 3, 4)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 2), np.uint8), "uint8 .N, d.: reshape flat images"),
        (np.zeros((3, 4, 4), np.int64), "is int64; images are uint8, or floats"),
        (np.full((3, 4, 4), 255.0), r"ranges over \[255, 255\]; images of floats lie in"),
        (np.full((3, 4, 4), np.nan), "has 48 values that are not finite"),
        (np.array([[0.0], [np.inf]]), "has 1 values that are not finite"),
        (np.array([[0.0], [1e300]]), "has 1 values that are not finite as float32"),
        (np.zeros((3, 2), complex), "is complex128; samples are real numbers"),
        (np.zeros((3, 2), bool), "is bool; samples are real numbers"),
        (np.array([["a"], ["b"]]), "is <U1; samples are real numbers"),
        (np.zeros(5), r"has the shape \(5,\); samples are \(N, d\)"),
        (np.zeros((2, 1, 4, 4, 4)), r"has the shape \(2, 1, 4, 4, 4\)"),
        (np.zeros((1, 2)), r"has the shape \(1, 2\).*N at least 2"),
        (np.zeros((0, 4, 4)), r"has the shape \(0, 1, 4, 4\)"),
        (np.zeros((5, 4, 0), np.uint8), r"has the shape \(5, 1, 4, 0\)"),
        (np.zeros((5, 4, 4, 5), np.uint8), "where no axis can be channels; set channels"),
    ],
)
def test_unusable_samples_are_refused(tmp_path: Path, array: NDArray[Any], message: str) -> None:
    """For unusable samples, the message names the file, the array and the reason."""
    path = save_npz(tmp_path, x=array)
    with pytest.raises(BadInput, match=f'array "x" .*{message}|array "x" {message}') as caught:
        Npz(path).load()
    assert caught.value.place == path
    assert "\n" not in str(caught.value)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    """An array of objects and a bare pickle are rejected; other arrays of the file load."""
    objects = np.array([[{}], [{}]], dtype=object)
    path = save_npz(tmp_path, x=objects, z=np.zeros((2, 1)))
    with pytest.raises(BadInput, match=r"cannot be read as .npz or .npy: Object arrays"):
        Npz(path, images="x").load()
    assert Npz(path, images="z").load().shape == (1,)
    bare = tmp_path / "bare.npy"
    bare.write_bytes(pickle.dumps(objects))
    with pytest.raises(BadInput, match="cannot be read"):
        Npz(str(bare)).load()


def test_nearest_name_is_suggested(tmp_path: Path) -> None:
    """For a misspelt array, the message has the file, the nearest name and all names."""
    path = save_npz(tmp_path, images=np.zeros((2, 1)), targets=np.zeros(2, int))
    with pytest.raises(BadInput) as caught:
        Npz(path, images="imags").load()
    expected = f'{path}: no array "imags"; nearest is "images"; there are images, targets'
    assert str(caught.value) == expected
    with pytest.raises(BadInput, match='no array "target"; nearest is "targets"'):
        Npz(path, images="images", labels="target").load()


def test_array_must_be_unambiguous(tmp_path: Path) -> None:
    """For several possible arrays, or for none, the message lists their names."""
    with pytest.raises(BadInput, match="set images to one of its arrays: a, b"):
        Npz(save_npz(tmp_path, b=np.zeros((2, 1)), a=np.zeros((2, 1)))).load()
    with pytest.raises(BadInput, match="set images to one of its arrays: none"):
        Npz(save_npz(tmp_path, y=np.zeros(2, int)), labels="y").load()


def test_npy_has_no_names(tmp_path: Path) -> None:
    """A name for an .npy file is rejected, and messages about its array have no name."""
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(3))
    with pytest.raises(BadInput, match=r'an \.npy file has one array without a name, no "x"'):
        Npz(str(path), images="x").load()
    with pytest.raises(BadInput, match="the array has the shape"):
        Npz(str(path)).load()


@pytest.mark.parametrize("labels", [np.zeros(3, int), np.zeros((2, 1), int), np.zeros(2)])
def test_unusable_labels_are_refused(tmp_path: Path, labels: NDArray[Any]) -> None:
    """Labels that are not one integer for each sample are rejected, with type and shape."""
    path = save_npz(tmp_path, x=np.zeros((2, 1)), y=labels)
    with pytest.raises(BadInput, match=r'array "y" is .*; labels are 2 integers'):
        Npz(path, images="x", labels="y").load()


def test_stray_members_are_refused(tmp_path: Path) -> None:
    """A file in the archive that is no array is rejected as samples."""
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(BadInput, match=r'array "notes\.txt" is not an array'):
        Npz(str(path)).load()


def make_damaged_file(damage: str) -> bytes:
    """Return the bytes of a damaged .npy or .npz file."""
    buffer = io.BytesIO()
    random = np.random.default_rng(0).random((50, 50))
    if damage == "npy cut short":
        np.save(buffer, random)
        return buffer.getvalue()[:1000]
    np.savez_compressed(buffer, x=random)
    content = bytearray(buffer.getvalue())
    if damage == "npz cut short":
        return bytes(content[:1000])
    content[500:600] = bytes(100)
    return bytes(content)


@pytest.mark.parametrize("damage", ["npy cut short", "npz cut short", "npz with a hole", "empty"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    """A damaged file is rejected, and the message names it."""
    path = tmp_path / "a.npz"
    path.write_bytes(b"" if damage == "empty" else make_damaged_file(damage))
    with pytest.raises(BadInput, match=r"cannot be read as .npz or .npy") as caught:
        Npz(str(path)).load()
    assert caught.value.place == str(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """For a missing file or a folder, the message has the path and the reason."""
    with pytest.raises(BadInput, match=r"nothing\.npz: cannot be read.*No such file"):
        Npz(str(tmp_path / "nothing.npz")).load()
    with pytest.raises(BadInput, match=r"cannot be read as .npz or .npy: \w+"):
        Npz(str(tmp_path)).load()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "a", "held_out_share": 0}, "held_out_share must lie between 0 and 1"),
        ({"path": "a", "held_out_share": 1}, "held_out_share must lie between 0 and 1"),
        ({"path": "a", "seed": -1}, "seed must not be negative"),
        ({"path": "a", "channels": "middle"}, "npz.channels"),
        ({}, "npz.path"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    """An option out of range is rejected when the plugin is built, with a message that names it."""
    with pytest.raises(BadInput, match=message):
        plugins.build("datasets", "npz", options, "x.yaml: data")
