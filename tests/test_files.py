import pytest
import torch

from wta_sae.errors import UserError
from wta_sae.files import read_json, read_tensors, replacing, write_json, write_tensors


def names(directory):
    return [path.name for path in directory.iterdir()]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ValueError
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["result.json"]


def test_a_failed_directory_leaves_the_old_one_and_no_other(tmp_path):
    path = tmp_path / "directory"
    for content in ("old", "new"):
        with replacing(path) as temporary:
            temporary.mkdir()
            (temporary / content).touch()
    assert names(path) == ["new"]
    with pytest.raises(ValueError), replacing(path) as temporary:
        temporary.mkdir()
        raise ValueError
    assert names(path) == ["new"]
    assert names(tmp_path) == ["directory"]


def test_tensors_come_back_with_their_metadata(tmp_path):
    tensors = {"a": torch.arange(6).view(2, 3).T, "b": torch.ones(2, dtype=torch.bfloat16)}
    write_tensors(tmp_path / "t.safetensors", tensors, {"seed": 3, "name": "x"})
    read, metadata = read_tensors(tmp_path / "t.safetensors")
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert metadata == {"seed": 3, "name": "x"}


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(path, {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"t.safetensors: damaged or half-written .*; delete it and run again"):
        read_tensors(path)
    with pytest.raises(UserError, match=r"u.safetensors: no such file"):
        read_tensors(tmp_path / "u.safetensors")
    (tmp_path / "j.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"j.json: not valid JSON"):
        read_json(tmp_path / "j.json")


def test_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "j.json", {"a": float("nan")})
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "results").touch()  # a file where the folder should be; stops even the superuser
    with pytest.raises(UserError, match=r"results.*: cannot be written .*; make the folder writable"):
        write_json(tmp_path / "results" / "a.json", {})


def test_equal_content_is_equal_bytes(tmp_path):
    tensors = {"a": torch.arange(6.0), "b": torch.ones(2)}
    metadata = {f"key{i}": {"z": i, "a": [i]} for i in range(20)}
    for number in range(3):
        write_tensors(tmp_path / f"{number}", dict(reversed(tensors.items())) if number else tensors, metadata)
        metadata = dict(reversed(metadata.items()))
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
