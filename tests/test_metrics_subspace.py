from dataclasses import replace

import pytest
import torch

import metrics_golden as golden
from wta_sae.metrics import slices
from wta_sae.metrics.subspace import evaluate_subspace, explained_share
from wta_sae.sae.sae import SAE


def share_by_svd(x_RD: torch.Tensor, rows_KD: torch.Tensor) -> torch.Tensor:
    if len(rows_KD) == 0:
        return torch.zeros(len(x_RD), dtype=torch.float64)
    _, values, vectors = torch.linalg.svd(rows_KD, full_matrices=False)
    span = vectors[values > 1e-5 * values[0]]
    return (x_RD @ span.T).square().sum(-1) / x_RD.square().sum(-1)


def random_case(tokens: int, latents: int, width: int, density: float, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(tokens, 2, width, generator=generator, dtype=torch.float64)
    active = torch.rand(tokens, latents, generator=generator) < density * torch.rand(tokens, 1, generator=generator) * 2
    return x, active, torch.randn(latents, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("elements", [2**7, 2**12, 2**21])
@pytest.mark.parametrize("density", [0.02, 0.2, 0.6])  # few active latents; around the width; mostly beyond it
@pytest.mark.parametrize("dependent", [False, True])
def test_shares_equal_an_svd(monkeypatch, elements, density, dependent):
    monkeypatch.setattr(slices, "ELEMENTS_ON_CPU", elements)
    x, active, W_dec = random_case(tokens=60, latents=64, width=16, density=density)
    if dependent:
        W_dec[32:] = W_dec[:32] * 3  # every direction twice
        W_dec[:, 0] = 0  # and never all of space
        W_dec[5] = 0
    active[7] = False
    found = explained_share(x, active, W_dec)
    expected = torch.stack([share_by_svd(x[i], W_dec[active[i]]) for i in range(len(x))])
    assert active.sum(-1).min() == 0
    assert (active.sum(-1) >= 16).any() == (density > 0.1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_independent_directions_need_no_eigenvectors(monkeypatch):
    x, active, W_dec = random_case(tokens=60, latents=64, width=16, density=0.1)
    assert len(set(active.sum(-1).tolist())) > 5  # so that chunks are padded
    active &= active.cumsum(-1) <= 12  # well below the width, where random directions are far from dependent
    monkeypatch.setattr("wta_sae.metrics.subspace.eigh", lambda _: pytest.fail("the slow way was taken"))
    assert (explained_share(x, active, W_dec) > 0).any()


def test_shares_by_hand():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64).repeat(3, 1, 1)
    W_dec = torch.tensor([[2.0, 0.0], [0.0, 5.0]], dtype=torch.float64)
    active = torch.tensor([[True, False], [False, False], [True, True]])
    assert explained_share(x, active, W_dec).flatten().tolist() == pytest.approx([0.36, 0, 0, 0, 1, 0])


def test_the_length_of_directions_and_the_order_of_latents_do_not_matter():
    x, active, W_dec = random_case(tokens=30, latents=40, width=24, density=0.2, seed=3)
    generator = torch.Generator().manual_seed(4)
    expected = explained_share(x, active, W_dec)
    lengths = torch.rand(40, 1, generator=generator, dtype=torch.float64) + 0.5
    torch.testing.assert_close(explained_share(x, active, W_dec * lengths), expected, rtol=0, atol=1e-10)
    order = torch.randperm(40, generator=generator)
    torch.testing.assert_close(explained_share(x, active[:, order], W_dec[order]), expected, rtol=0, atol=1e-10)


def test_metrics_by_hand():
    lm = golden.TableModel(torch.tensor([[9.0, 9.0], [3.0, 4.0], [-1.0, 0.0]]))
    W_enc = torch.tensor([[1.0], [0.0]])
    sae = SAE(W_enc, torch.zeros(1), W_enc.T.contiguous(), torch.tensor([0.0, 1.0]), "relu")
    found = evaluate_subspace(lm, {"hand": sae}, torch.tensor([[0, 1, 2, 0]]))["hand"].metrics
    # (3, 4): the latent is active; of x it spans 3 of length 5, of x - b_dec = (3, 3) half the energy. (-1, 0): nothing active.
    assert found == pytest.approx(
        {
            "subspace_cosine": 0.6 / 2,
            "projection_percentage": 0.36 / 2,
            "subspace_cosine_centred": 0.5**0.5 / 2,
            "projection_percentage_centred": 0.5 / 2,
        }
    )


def test_golden_sae_against_an_svd_of_every_token():
    lm, tokens = golden.language_model(), golden.tokens()[:2]
    sae = golden.saes()["batchtopk"]
    found = evaluate_subspace(lm, {"sae": sae}, tokens, batch_contexts=1)["sae"].metrics
    residual = lm.residual(tokens)
    active = sae.encode(residual)[lm.valid(tokens)] > 0
    x = residual[lm.valid(tokens)].double()
    both = torch.stack([x, x - sae.b_dec_D.double()], 1)
    share = torch.stack([share_by_svd(both[i], sae.W_dec_FD.double()[active[i]]) for i in range(len(x))])
    expected = torch.cat([share.sqrt().mean(0), share.mean(0)]).tolist()
    names = ("subspace_cosine", "subspace_cosine_centred", "projection_percentage", "projection_percentage_centred")
    assert [found[name] for name in names] == pytest.approx(expected, rel=1e-9)


def test_all_latents_active_span_everything():
    lm, tokens = golden.language_model(), golden.tokens()[:2]
    everything = replace(golden.saes()["topk"], inference="relu", b_enc_F=torch.full((512,), 1e3))
    found = evaluate_subspace(lm, {"sae": everything}, tokens)["sae"].metrics
    assert list(found.values()) == pytest.approx([1, 1, 1, 1])
