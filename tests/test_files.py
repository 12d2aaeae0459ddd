import errno
import resource
import signal
import subprocess
import sys

import pytest
import torch
from safetensors import SafetensorError

from wta_sae.base.errors import PassingError, UserError
from wta_sae.machine.files import read_json, replacing, resuming, write_json
from wta_sae.machine.tensor_files import read_tensors, write_tensors


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
    with pytest.raises(UserError, match=r"t.safetensors: damaged or half-written .*; .* --forcerun .*t.safetensors"):
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


def test_a_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(path, {"a": torch.ones(4), "b": torch.ones((), dtype=torch.bfloat16)})
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match=r"damaged or half-written .*checksum"):
        read_tensors(path)


def test_a_result_in_a_folder_of_the_workflow_is_made_anew_by_the_folders_name(tmp_path):
    folder = tmp_path / "sae"
    folder.mkdir()
    (folder / ".snakemake_timestamp").touch()
    (folder / "cfg.json").write_text("{")
    with pytest.raises(UserError, match=rf"cfg.json: not valid JSON .* --forcerun {folder}$"):
        read_json(folder / "cfg.json")


FULL = PassingError, r"a: writing failed \(.+\); free disk space or choose another folder"
ERRORS = {  # what happens while a file is written -> what the user reads
    "disk": (OSError(errno.ENOSPC, "No space left on device"), *FULL),
    "quota": (OSError(errno.EDQUOT, "Disk quota exceeded"), *FULL),
    "library": (SafetensorError("I/O error: No space left on device"), *FULL),
    "failing": (OSError(errno.EIO, "Input/output error"), PassingError, r"a: the disk failed .* \(Input/output error\)"),
    "network": (ConnectionResetError(errno.ECONNRESET, "reset by peer"), ConnectionResetError, "reset by peer"),
    "timeout": (TimeoutError("timed out"), TimeoutError, "timed out"),
    "input": (PermissionError(errno.EACCES, "Permission denied", "/input"), PermissionError, "/input"),
}


@pytest.mark.parametrize("raised, expected, line", ERRORS.values(), ids=ERRORS)
def test_only_the_disks_errors_are_told_as_the_disks(tmp_path, raised, expected, line):
    with pytest.raises(expected, match=line), replacing(tmp_path / "a"):
        raise raised


@pytest.mark.parametrize("error", [*(raised for raised, *_ in ERRORS.values()), MemoryError(), KeyboardInterrupt()])
def test_finished_pieces_outlive_errors_that_are_not_about_them(tmp_path, error):
    path = tmp_path / "pieces"
    with pytest.raises((type(error), PassingError)), resuming(path, {"seed": 1}) as temporary:
        (temporary / "one").touch()
        raise error
    assert not path.exists()
    with resuming(path, {"seed": 1}) as temporary:
        assert (temporary / "one").exists()
    assert (names(path), names(tmp_path)) == (["one"], ["pieces"])


def test_pieces_of_something_wrong_go(tmp_path):
    with pytest.raises(UserError), resuming(tmp_path / "pieces", {}) as temporary:
        (temporary / "one").touch()
        raise UserError("these texts are empty")
    assert names(tmp_path) == []


def test_a_full_disk_in_earnest(tmp_path):
    """A limit on the size of a file, which torch, safetensors and Python meet each in its own way."""
    code = "import sys, torch; from pathlib import Path; from wta_sae.base.errors import PassingError\n"
    code += "from wta_sae.machine.files import write_text; from wta_sae.machine.tensor_files import write_tensors\n"
    code += "path = Path(sys.argv[1])\n"
    code += "try: write_tensors(path, {'a': torch.ones(50000)})\nexcept PassingError as error: print(error)\n"
    code += "try: write_text(path, 'a' * 50000)\nexcept PassingError as error: print(error)"

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    command = [sys.executable, "-c", code, str(tmp_path / "a")]
    process = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=limit)
    lines = process.stdout.splitlines()
    assert [line.startswith(f"{tmp_path / 'a'}: writing failed (") for line in lines] == [True, True], process.stdout
    assert names(tmp_path) == []


def test_files_have_the_mode_that_the_umask_leaves_them(tmp_path):
    (tmp_path / "plain").touch()
    write_tensors(tmp_path / "tensors", {"a": torch.ones(2)})
    with replacing(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "private").touch(0o600)
    wanted = (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "tensors").stat().st_mode == (tmp_path / "folder/private").stat().st_mode == wanted
