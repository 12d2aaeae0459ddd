import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import metrics_golden as golden
from wta_sae.activations.text_caching import tokenize_texts
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_json
from wta_sae.metrics.pooling import Pooled, released_winners, with_winners
from wta_sae.metrics.probes import FULL_PROBE, PERTURBATION_PROBE, Recipe, train_probe
from wta_sae.metrics.probing import probing_baseline, probing_metrics, top_k_accuracy
from wta_sae.metrics.tasks import one_vs_rest
from wta_sae.text.labelled_groups import class_groups, read_labelled_texts

# At SAEBench's seed the draws are its own, so only rounding can turn a decision: five of the 1000 texts that a mean is over.
FIVE_TEXTS = 0.005


@pytest.mark.parametrize("name", golden.NAMES)
def test_pooled_codes_agree_with_saebench(name):
    train, _ = golden.pooled_classes()
    for group in train.sizes:
        expected = golden.stages(name)[f"probing/pooled_train_first20/{group}"]
        found = train.codes[name][train.rows(group)[:20]]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_probing_agrees_with_saebench():
    pooled = golden.pooled_classes()
    found = probing_metrics(*pooled, probing_baseline(*pooled, seed=42))
    for name in golden.NAMES:
        expected = golden.reference(name)["sparse_probing"]["averages"]
        assert len(expected) == 8
        assert {key: found[name].metrics[key] for key in expected} == pytest.approx(expected, abs=FIVE_TEXTS)


def test_tokens_are_bos_text_padding():
    lm = golden.language_model()
    short, long = tokenize_texts(lm, ["print", "def f(x): return x " * 20], 12)
    ids = lm.tokenizer("def f(x): return x " * 20, add_special_tokens=False)["input_ids"]
    assert short.tolist() == [0, *lm.tokenizer("print")["input_ids"], *[1] * (11 - len(lm.tokenizer("print")["input_ids"]))]
    assert long.tolist() == [0, *ids[:11]]


def pooled_plainly(sae, texts: list[str], context: int, batch_texts: int):
    """As SAEBench does it: whole batches, and means by the number of positions that are not zero."""
    lm = golden.language_model()
    residuals, codes, leaky = [], [], []
    for start in range(0, len(texts), batch_texts):
        tokens = tokenize_texts(lm, texts[start : start + batch_texts], context)
        x = lm.residual(tokens) * lm.valid(tokens)[..., None]
        nonzero = (x.sum(-1) != 0).float()
        acts = sae.encode(x)
        residuals.append(x.sum(1) / nonzero.sum(1, keepdim=True))
        codes.append((acts * nonzero[..., None]).sum(1) / nonzero.sum(1, keepdim=True))
        leaky.append(acts.sum(1) / nonzero.sum(1, keepdim=True))
    return torch.cat(residuals), torch.cat(codes), torch.cat(leaky)


@pytest.mark.parametrize("inference", ["topk", "threshold", "released"])
def test_pooling_in_pieces_equals_whole_batches(inference):
    sae = replace(golden.saes()["topk"], inference=inference, rate=0.07)
    # Batches of 30, 30, 5 and 30, 10, which differ in the winners of `released` (2, 2, 1 and 2, 1), with texts in common.
    texts = golden.texts()["train"]["0"]
    groups = {
        "a": [text[: 20 + i] for i, text in enumerate(texts[:65])],
        "b": [text[: 20 + i] for i, text in enumerate(texts[:40])],
    }
    (found,) = golden.pooled({"train": groups}, {"sae": sae}, context_length=16, batch_texts=30)
    for group, members in groups.items():
        residual, codes, leaky = pooled_plainly(sae, members, context=16, batch_texts=30)
        rows = found.rows(group)
        torch.testing.assert_close(found.residual_ND[rows], residual, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.codes["sae"][rows], codes, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.leaky_codes["sae"][rows], leaky, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found.codes["sae"], found.leaky_codes["sae"], atol=1e-2)


def test_parts_of_a_released_batch_keep_its_winners():
    sae = replace(golden.saes()["topk"], inference="released", rate=0.05)
    x = torch.randn(100, 12, 64, generator=torch.Generator().manual_seed(0))
    whole, winners = sae.encode(x), dict(released_winners({"sae": sae}, 100))
    for size in (1, 7, 100):
        parts = [with_winners({"sae": sae}, winners, len(part))["sae"].encode(part) for part in x.split(size)]
        torch.testing.assert_close(torch.cat(parts), whole)
    assert ((whole > 0).sum(1) == 5).any()


def train_with_autograd(x, truth, selection_x, selection_truth, recipe: Recipe, generator: torch.Generator):
    """What `train_probe` writes out, with torch's own layer, loss and optimizer."""
    layer = nn.Linear(x.shape[1], 1)
    bound = 1 / math.sqrt(x.shape[1])
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=recipe.learning_rate)
    best, best_accuracy, waited, epochs = None, -1.0, 0, 0
    for _ in range(recipe.epochs):
        epochs += 1
        for rows in torch.randperm(len(x), generator=generator).split(recipe.batch):
            loss = nn.functional.binary_cross_entropy_with_logits(layer(x[rows])[:, 0], truth[rows].float())
            loss = loss + recipe.l1 * layer.weight.abs().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracy = ((layer(selection_x)[:, 0] > 0) == selection_truth).double().mean().item()
        if accuracy > best_accuracy:
            best, best_accuracy, waited = layer.weight.detach()[0].clone(), accuracy, 0
        else:
            waited += 1
        if waited >= recipe.patience:
            break
    return best, best_accuracy, epochs


def noisy_task(rows: int, width: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, width, generator=generator)
    return x, x[:, 0] + torch.randn(rows, generator=generator) > 0


@pytest.mark.parametrize(("recipe", "stops_early"), [(FULL_PROBE, True), (PERTURBATION_PROBE, False)])
def test_probe_equals_autograd_and_adamw(recipe, stops_early):
    x, truth = noisy_task(330, 24, seed=1)
    task = (x[:230], truth[:230], x[230:], truth[230:])
    generators = [torch.Generator().manual_seed(5) for _ in range(2)]
    probe, accuracy = train_probe(*task, recipe, generators[0])
    weight, expected_accuracy, epochs = train_with_autograd(*task, recipe, generators[1])
    torch.testing.assert_close(probe.weight_D, weight, rtol=1e-4, atol=1e-5)
    assert accuracy == expected_accuracy == probe.accuracy(*task[2:])
    assert (epochs < recipe.epochs) == stops_early
    assert torch.equal(generators[0].get_state(), generators[1].get_state())  # as many epochs were drawn


def test_one_vs_rest_is_balanced_and_draws_from_every_class():
    pooled = Pooled({"a": 5, "b": 4, "c": 9}, torch.empty(18, 2), {}, {})
    rows, is_positive = one_vs_rest(pooled, "a", torch.Generator().manual_seed(0))
    assert sorted(rows[is_positive].tolist()) == [0, 1, 2, 3, 4]
    negatives = rows[~is_positive].tolist()
    assert len(set(negatives)) == 5
    assert {row < 9 for row in negatives} == {True, False}  # ceil(5 / 2) = 3 of each of b and c, cut to 5
    assert min(negatives) >= 5
    assert not torch.equal(is_positive, is_positive.sort(descending=True).values)


def test_top_k_takes_the_features_that_differ_most():
    truth = torch.arange(40) % 2 == 0
    noise = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)) * 0.01
    x = noise.clone()
    x[:, 4] -= 3.0 * truth
    assert top_k_accuracy(x, truth, x, truth, k=1) == 1
    swapped = x[:, [4, 1, 2, 3, 0, 5]]
    assert top_k_accuracy(x, truth, swapped, truth, k=1) == 0.5  # only feature 4 was read, which is noise there


def test_selection_on_the_test_set_flatters_and_validation_does_not():
    generator = torch.Generator().manual_seed(0)
    groups = {str(c): 60 for c in range(4)}
    codes = {"noise": torch.randn(240, 32, generator=generator)}
    train = Pooled(groups, torch.randn(240, 8, generator=generator), codes, codes)
    test_codes = {"noise": torch.randn(240, 32, generator=generator)}
    test = Pooled(groups, torch.randn(240, 8, generator=generator), test_codes, test_codes)
    baselines = [probing_baseline(train, test, k_values=(1,), seed=seed) for seed in range(5)]
    found = [probing_metrics(train, test, baseline, k_values=(1,))["noise"].metrics for baseline in baselines]
    selected = sum(f["sae_test_accuracy"] for f in found) / 5
    validated = sum(f["sae_test_accuracy_validated"] for f in found) / 5
    assert selected > 0.53  # of labels that nothing predicts
    assert abs(validated - 0.5) < 0.03 < selected - validated + 0.01


def test_every_sae_meets_the_same_tasks():
    train, test = golden.pooled_classes()
    baseline = probing_baseline(train, test, k_values=(5,))
    alone = probing_metrics(*(replace(p, codes={"topk": p.codes["topk"]}) for p in (train, test)), baseline, (5,))
    after = probing_metrics(train, test, baseline, (5,))
    last = probing_metrics(*(replace(p, codes=dict(reversed(p.codes.items()))) for p in (train, test)), baseline, (5,))
    assert alone["topk"].metrics == after["topk"].metrics == last["topk"].metrics


def test_texts_are_probed_from_end_to_end():
    texts = {
        "train": {"word": ["alpha beta gamma"] * 8, "code": ["x = (1, 2)"] * 8},
        "test": {"word": ["gamma delta beta"] * 4, "code": ["y = (3, 4)"] * 4},
    }
    pooled = golden.pooled(texts, golden.saes(), context_length=16)
    found = probing_metrics(*pooled, probing_baseline(*pooled, k_values=(1,)), k_values=(1,))
    assert set(found) == set(golden.NAMES)
    for evaluation in found.values():
        assert set(evaluation.metrics) == {
            f"{prefix}_{ending}"
            for prefix in ("sae", "llm")
            for ending in ("test_accuracy", "test_accuracy_validated", "top_1_test_accuracy")
        }
        assert evaluation.metrics["llm_test_accuracy"] == 1


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ({"a": ["x"] * 3}, {"a": ["x"] * 3}, "1 class in train"),
        ({"a": ["x"] * 9, "b": ["x"] * 3}, {"a": ["x"], "b": ["x"]}, "class 'b' has 3 train texts"),
        ({"a": ["x"], "b": ["x"]}, {"a": ["x"], "b": []}, "class 'b' has no test text"),
        ({"a": ["x"], "b": ["x"]}, {"a": ["x"], "c": ["x"]}, "different classes"),
    ],
)
def test_bad_texts_are_refused(train, test, message):
    with pytest.raises(UserError, match=message):
        class_groups(Path("texts.json"), {"train": train, "test": test})


def test_a_text_without_ordinary_tokens_is_refused():
    with pytest.raises(UserError, match="'' has no ordinary token"):
        golden.pooled({"train": {"a": ["x", ""]}}, golden.saes(), context_length=16)


@pytest.mark.parametrize("texts", [{"train": {"a": ["x"]}}, {"train": {"a": "x"}, "test": {"a": ["x"]}}, ["x"]])
def test_a_file_of_another_shape_is_refused(texts, tmp_path):
    write_json(tmp_path / "texts.json", texts)
    with pytest.raises(UserError, match=r"texts.json: (wants the keys|train is not an object of lists)"):
        read_labelled_texts(tmp_path / "texts.json")
