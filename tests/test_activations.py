import errno
import math
import re

import pytest
import torch

from wta_sae.activations.cache import ActivationCache, _rows_at
from wta_sae.activations.caching import cache_activations
from wta_sae.activations.shard_reader import ShardReader
from wta_sae.base.errors import PassingError, UserError
from wta_sae.language_model.model import LanguageModel
from wta_sae.machine.files import file_xxh3, read_json, write_json
from wta_sae.machine.tensor_files import read_tensors, write_tensors


@pytest.fixture
def cached(lm, tokens_CL, tmp_path):
    directory = tmp_path / "activations"
    manifest = write(lm, tokens_CL, directory)
    return ActivationCache(directory), manifest


def write(lm, tokens_CL, directory, **options):
    options = {"rows": 170, "dtype": torch.float32, "shard_rows": 32, "batch_contexts": 2, "seed": 5} | options
    return cache_activations(directory, lm, tokens_CL, {"sha256": "digest"}, **options)


def sorted_rows(rows_ND):
    return rows_ND[rows_ND[:, 0].sort().indices]


def test_holds_each_valid_token_once(lm, tokens_CL, tmp_path):
    rows = int(lm.valid(tokens_CL).sum())
    assert rows == 12 * 15 - 1
    write(lm, tokens_CL, tmp_path / "all", rows=rows)
    cache = ActivationCache(tmp_path / "all")
    expected_ND = lm.residual(tokens_CL)[lm.valid(tokens_CL)]
    read_ND = torch.cat(list(cache.batches(1, seed=0)))
    torch.testing.assert_close(sorted_rows(read_ND), sorted_rows(expected_ND), rtol=0, atol=1e-6)
    assert cache.manifest.norm_factor == pytest.approx(math.sqrt(expected_ND.square().sum(1).mean()), rel=1e-6)


def test_manifest_describes_the_shards(cached):
    cache, manifest = cached
    assert cache.manifest == manifest
    assert [shard.rows for shard in manifest.shards] == [32, 32, 32, 32, 32, 10]
    assert manifest.rows == 170
    assert manifest.hook_name == "blocks.1.hook_resid_post"


def test_neighbours_come_from_different_contexts(lm, tokens_CL, cached):
    """In the model's own order neighbours share a context 14 times of 15."""
    cache, _ = cached
    residual_ND = lm.residual(tokens_CL)[lm.valid(tokens_CL)]
    context_N = torch.arange(12)[:, None].expand(12, 16)[lm.valid(tokens_CL)]
    stored_ND = torch.cat([read_tensors(cache.directory / shard.file)[0]["activations"] for shard in cache.manifest.shards])
    nearest_N = torch.cdist(stored_ND, residual_ND).argmin(1)
    shared = (context_N[nearest_N][1:] == context_N[nearest_N][:-1]).float().mean()
    assert shared < 0.4


def test_batches_are_seeded_and_whole(cached):
    cache, _ = cached
    first, again, other = (list(cache.batches(20, seed=seed)) for seed in (0, 0, 1))
    assert len(first) == 170 // 20
    assert all(batch.shape == (20, 16) and batch.dtype == torch.float32 for batch in first)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_a_second_epoch_comes_in_another_order_and_only_when_asked_for(cached):
    cache, _ = cached
    once, twice = list(cache.batches(17, seed=0)), list(cache.batches(17, seed=0, epochs=2))
    assert len(once) == 10
    assert len(twice) == 20
    assert not torch.equal(torch.cat(twice[:10]), torch.cat(twice[10:]))
    assert torch.equal(sorted_rows(torch.cat(twice[:10])), sorted_rows(torch.cat(twice[10:])))


@pytest.mark.parametrize("skip", [0, 1, 4, 9, 16])
def test_skipped_batches_leave_the_others_as_they_are(cached, skip):
    cache, _ = cached
    everything, rest = (list(cache.batches(20, seed=0, epochs=2, skip=left_out)) for left_out in (0, skip))
    assert len(rest) == len(everything) - skip
    assert all(torch.equal(a, b) for a, b in zip(rest, everything[skip:], strict=True))


def test_the_shards_of_skipped_batches_are_not_read(cached, monkeypatch):
    cache, _ = cached
    read = []
    whole = ShardReader.read
    monkeypatch.setattr(ShardReader, "read", lambda self, *shard: read.append(shard) or whole(self, *shard))
    list(cache.batches(16, seed=0, skip=5))
    assert 170 - 5 * 16 <= sum(rows for _, rows, _ in read) < 170 - 5 * 16 + 32


def test_batches_outlast_the_shards_that_they_were_taken_from(cached):
    """The memory of a shard is filled again with the next but one."""
    cache, _ = cached
    kept, seen = [], []
    for batch in cache.batches(16, seed=0, epochs=3):  # two whole batches of most shards
        kept.append(batch)
        seen.append(batch.clone())
    assert len(kept) == 3 * 170 // 16
    assert all(torch.equal(a, b) for a, b in zip(kept, seen, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: nothing to bring there")
@pytest.mark.parametrize("skip", [0, 5])
def test_a_gpu_has_the_batches_of_the_cpu_in_their_order(cached, skip):
    cache, _ = cached
    here, there = (list(cache.batches(20, 0, 4, skip, torch.device(name))) for name in ("cpu", "cuda"))
    assert all(batch.is_cuda for batch in there)
    assert all(torch.equal(a, b.cpu()) for a, b in zip(here, there, strict=True))


def test_bfloat16_halves_the_shards_and_rounds(lm, tokens_CL, tmp_path):
    write(lm, tokens_CL, tmp_path / "full")
    write(lm, tokens_CL, tmp_path / "half", dtype=torch.bfloat16)
    full, half = (torch.cat(list(ActivationCache(tmp_path / name).batches(10, seed=0))) for name in ("full", "half"))
    assert torch.equal(full.bfloat16().float(), half)
    assert ActivationCache(tmp_path / "half").manifest.dtype == "bfloat16"


def test_too_little_text_is_refused_and_leaves_nothing(lm, tokens_CL, tmp_path):
    with pytest.raises(UserError, match=r"activations.tokens: 1,000 asked for, but the training text gives 179"):
        write(lm, tokens_CL, tmp_path / "activations", rows=1000)
    assert list(tmp_path.iterdir()) == []


def test_shards_that_mix_nothing_are_refused(lm, tokens_CL, tmp_path):
    with pytest.raises(UserError, match=r"activations.shard_tokens: 15 is less than a context's 16 tokens, so that nothing"):
        write(lm, tokens_CL, tmp_path / "activations", shard_rows=15)


def test_residuals_that_are_not_finite_are_refused_and_leave_nothing(lm, tokens_CL, tmp_path):
    lm.model.gpt_neox.layers[1].mlp.dense_4h_to_h.bias.data[0] = torch.nan
    with pytest.raises(
        UserError, match=r"residual stream at blocks.1.hook_resid_post is not finite at position 0 of sequence 0"
    ):
        write(lm, tokens_CL, tmp_path / "activations")
    assert list(tmp_path.iterdir()) == []


# What ends a job without its being at fault. SystemExit: as SIGTERM does.
INTERRUPTIONS = (SystemExit(143), MemoryError(), RuntimeError("CUDA out of memory"), OSError(errno.ENOSPC, "No space left"))


@pytest.fixture(params=INTERRUPTIONS, ids=lambda error: type(error).__name__)
def interrupted(lm, tokens_CL, tmp_path, monkeypatch, request):
    """A cache whose job was stopped half-way, and the batches that the language model computes from now on."""
    computed = []

    def count(self, tokens_BL, compute=LanguageModel.residual):
        if stop and sum(computed) >= 3 * 32 + 10:
            raise request.param
        residual_BLD = compute(self, tokens_BL)
        computed.append(int(self.valid(tokens_BL).sum()))
        return residual_BLD

    monkeypatch.setattr(LanguageModel, "residual", count)
    stop = True
    with pytest.raises((type(request.param), PassingError)):
        write(lm, tokens_CL, tmp_path / "activations")
    assert not (tmp_path / "activations").exists()
    stop = False
    computed.clear()
    return computed


def test_an_interrupted_cache_goes_on_after_its_last_whole_shard(lm, tokens_CL, tmp_path, interrupted):
    whole = len(list(tmp_path.glob(".activations.partial/shard-*")))
    assert 0 < whole < 6
    write(lm, tokens_CL, tmp_path / "activations")
    resumed = len(interrupted)
    write(lm, tokens_CL, tmp_path / "undisturbed")
    assert resumed == (len(interrupted) - resumed) * (6 - whole) // 6
    files = sorted(path.name for path in (tmp_path / "undisturbed").iterdir())
    assert sorted(path.name for path in (tmp_path / "activations").iterdir()) == files
    for name in files:
        assert (tmp_path / "activations" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert not list(tmp_path.glob(".*"))


SIGTERM = pytest.mark.parametrize("interrupted", INTERRUPTIONS[:1], indirect=True)


@SIGTERM
@pytest.mark.usefixtures("interrupted")
def test_a_shard_that_was_damaged_meanwhile_is_computed_anew(lm, tokens_CL, tmp_path, capsys):
    flipped, cut = sorted(tmp_path.glob(".activations.partial/shard-*"))[:2]
    flipped.write_bytes(flipped.read_bytes()[:-3] + b"xyz")
    cut.write_bytes(b"")
    write(lm, tokens_CL, tmp_path / "activations")
    lines = capsys.readouterr().err.splitlines()
    for file in (flipped, cut):
        assert [line.endswith("computing it anew") for line in lines if line.startswith(f"{file}: damaged")] == [True]
    write(lm, tokens_CL, tmp_path / "undisturbed")
    for path in (tmp_path / "undisturbed").iterdir():
        assert (tmp_path / "activations" / path.name).read_bytes() == path.read_bytes()


@SIGTERM
@pytest.mark.parametrize("change", [{"seed": 6}, {"computed_by": {"code": "edited"}}])
@pytest.mark.usefixtures("interrupted")
def test_what_another_seed_or_other_code_left_is_not_used_and_a_line_says_so(lm, tokens_CL, tmp_path, change, capsys):
    write(lm, tokens_CL, tmp_path / "activations", **change)
    what = "tokens, seed" if "seed" in change else "code"
    line = rf"\.activations\.partial: left by a job of other {what}; cleared, starting anew"
    assert len(re.findall(line, capsys.readouterr().err)) == 1
    write(lm, tokens_CL, tmp_path / "undisturbed", **change)
    for path in (tmp_path / "undisturbed").iterdir():
        assert (tmp_path / "activations" / path.name).read_bytes() == path.read_bytes()


def test_a_flipped_byte_is_refused_by_name(cached):
    cache, _ = cached
    shard = cache.directory / "shard-00002.safetensors"
    content = bytearray(shard.read_bytes())
    content[-5] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match=r"shard-00002.safetensors: damaged .*; delete .*activations, ask for .*manifest.json"):
        list(cache.batches(20, seed=0))


def test_a_truncated_or_missing_shard_is_refused_by_name(cached):
    cache, _ = cached
    shard = cache.directory / "shard-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"shard-00000.safetensors: damaged"):
        list(cache.batches(20, seed=0))
    shard.unlink()
    with pytest.raises(UserError, match=r"shard-00000.safetensors: no such file"):
        list(cache.batches(20, seed=0))


def test_shards_without_a_manifest_go_before_new_ones_are_made(cached, lm, tokens_CL, tmp_path, monkeypatch):
    """The disk need not hold both: Snakemake removes the manifest before a job that makes the cache again."""
    cache, manifest = cached
    shards = []

    def count(self, tokens_BL, compute=LanguageModel.residual):
        shards.append(len(list(cache.directory.glob("shard-*"))))
        return compute(self, tokens_BL)

    monkeypatch.setattr(LanguageModel, "residual", count)
    assert write(lm, tokens_CL, cache.directory) == manifest
    assert set(shards) == {len(manifest.shards)}  # there until the new ones take their place
    shards.clear()
    (cache.directory / "manifest.json").unlink()
    assert write(lm, tokens_CL, cache.directory) == manifest
    assert set(shards) == {0}


def test_a_freed_cache_keeps_its_manifest_and_says_how_to_come_back(cached):
    cache, manifest = cached
    taken = sum(path.stat().st_size for path in cache.directory.glob("shard-*"))
    assert (cache.free(), cache.free()) == (taken, 0)
    assert [path.name for path in cache.directory.iterdir()] == ["manifest.json"]
    assert ActivationCache(cache.directory).manifest == manifest
    with pytest.raises(UserError, match=r"safetensors: no such file, as where a cache was freed; delete .*activations, "):
        next(cache.batches(20, seed=0))


def test_a_damaged_manifest_is_refused_by_name(cached):
    cache, _ = cached
    manifest = cache.directory / "manifest.json"
    manifest.write_text(manifest.read_text()[:-40])
    with pytest.raises(UserError, match=r"manifest.json: not valid JSON"):
        ActivationCache(cache.directory)
    manifest.write_text("{}")
    with pytest.raises(UserError, match=r"manifest.json: not a manifest of this version"):
        ActivationCache(cache.directory)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_row_that_is_not_finite_is_named_with_its_shard(lm, tokens_CL, tmp_path, value, dtype):
    """A shard that another program wrote, its checksum in the manifest."""
    write(lm, tokens_CL, tmp_path / "activations", dtype=dtype)
    cache = ActivationCache(tmp_path / "activations")
    shard = cache.directory / "shard-00003.safetensors"
    tensors, metadata = read_tensors(shard)
    tensors["activations"][7, 2] = value
    write_tensors(shard, tensors, metadata)
    manifest = read_json(cache.directory / "manifest.json")
    manifest["shards"][3]["xxh3"] = file_xxh3(shard)
    write_json(cache.directory / "manifest.json", manifest)
    with pytest.raises(UserError, match=r"shard-00003.safetensors: row 7 is not finite"):
        list(ActivationCache(cache.directory).batches(20, seed=0))
    write_tensors(shard, {"activations": tensors["activations"][:, :3]})
    manifest["shards"][3]["xxh3"] = file_xxh3(shard)
    write_json(cache.directory / "manifest.json", manifest)
    with pytest.raises(UserError, match=r"shard-00003.safetensors: does not hold the activations \[32, 16\]"):
        list(ActivationCache(cache.directory).batches(20, seed=0))


def test_the_cache_knows_the_model_by_its_weights(lm, cached):
    assert cached[0].manifest.model_sha256 == lm.sha256()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [1, 3, 4, 6])  # rows of whole words of eight bytes, and others
def test_rows_are_taken_in_the_order_asked_for(width, dtype):
    rows_ND = torch.arange(5 * width).view(5, width).to(dtype)
    places_B = torch.tensor([3, 0, 3])
    assert torch.equal(_rows_at(rows_ND, places_B), rows_ND[places_B])
