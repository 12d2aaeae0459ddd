"""What is shown of single latents: where they fire, which of them are chosen, what they write, and the pages' HTML."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import tensor

import metrics_golden as golden
from latents import HARD, hard_views
from wta_sae.__main__ import main
from wta_sae.activations.text_cache import TextCache
from wta_sae.language_model.model import load_language_model
from wta_sae.language_model.unembedding import direct_logits
from wta_sae.machine.files import write_json
from wta_sae.metrics.latent_activations import latent_activations
from wta_sae.metrics.latent_examples import favourite_tokens, over_quantiles, spread_over_densities, strongest, windows
from wta_sae.metrics.latent_view import histogram
from wta_sae.presentation.latent_pages import latent_pages
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae
from wta_sae.text.token_texts import TokenTexts, visible

ACTS_CL = tensor([[0.0, 3.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [5.0, 0.0, 0.0, 2.0]])
TOKENS_CL = tensor([[10, 11, 12, 13], [14, 15, 16, 17], [11, 12, 12, 12]])


def test_latents_are_drawn_evenly_over_the_densities_of_those_that_fire():
    density_F = tensor([0.0, 0.3, 0.1, 0.2, 0.0, 0.5])
    assert spread_over_densities(density_F, 9) == [1, 2, 3, 5]
    assert spread_over_densities(density_F, 2) == [2, 5]  # the rarest and the commonest
    assert spread_over_densities(density_F[:1], 3) == []


def test_the_strongest_place_of_each_context_in_which_the_latent_fires():
    assert strongest(ACTS_CL, 5).tolist() == [[2, 0], [0, 1]]
    assert strongest(ACTS_CL, 1).tolist() == [[2, 0]]
    assert strongest(ACTS_CL, 0).tolist() == strongest(torch.zeros(2, 2), 3).tolist() == []


def values(parts):
    return [[ACTS_CL[context, position].item() for context, position in part.tolist()] for part in parts]


def test_samples_lie_evenly_over_the_ranks_of_all_activations():
    assert values(over_quantiles(ACTS_CL, 2, 2)) == [[5, 3], [2, 1]]
    assert values(over_quantiles(ACTS_CL, 2, 1)) == [[3], [1]]
    assert values(over_quantiles(ACTS_CL, 8, 1)) == [[5], [3], [2], [1]]  # parts without any are left out


def test_a_window_stands_mostly_before_its_place_and_within_its_context():
    first, second = windows(TOKENS_CL, ACTS_CL, tensor([[2, 0], [0, 2]]), 3)
    assert first == ([11, 12, 12], [5, 0, 0], 0)
    assert second == ([10, 11, 12], [0, 3, 1], 2)
    ((tokens, _, position),) = windows(TOKENS_CL, ACTS_CL, tensor([[1, 3]]), 16)
    assert (tokens, position) == ([14, 15, 16, 17], 3)


def test_a_latent_is_called_by_the_tokens_on_which_it_is_strongest_in_all():
    acts_CL = tensor([[1.0, 4.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    tokens_CL = tensor([[7, 8, 7, 9], [7, 7, 7, 9], [9, 9, 9, 9]])
    assert favourite_tokens(tokens_CL, acts_CL, 5) == [8, 7]  # 16 against 5, though 7 is more often
    assert favourite_tokens(tokens_CL, acts_CL, 1) == [8]


def test_a_histogram_counts_everything_once():
    found = histogram(tensor([1.0, 1.0, 2.0]))
    assert (sum(found.counts), found.counts[0], found.counts[-1], found.lowest, found.highest) == (3, 2, 1, 1, 2)
    assert sum(histogram(tensor([0.5])).counts) == 1
    assert histogram(tensor([])).counts == []


@pytest.mark.parametrize("rule", ["topk", "threshold"])
def test_a_block_of_latents_has_the_activations_of_the_full_encoding(lm, tokens_CL, rule):
    generator = torch.Generator().manual_seed(0)
    encoder_DF, decoder_FD = torch.randn(16, 40, generator=generator), torch.randn(40, 16, generator=generator)
    sae = SAE(encoder_DF, torch.zeros(40), decoder_FD, torch.zeros(16), rule, k=3, threshold=tensor(0.02))
    found = latent_activations(lm, {"mine": sae}, tokens_CL, batch_contexts=5)["mine"]
    full_CLF = sae.encode(lm.residual(tokens_CL)) * lm.valid(tokens_CL)[..., None]
    assert (full_CLF > 0).sum() > 100 and found.valid_tokens == int(lm.valid(tokens_CL).sum()) < tokens_CL.numel()
    for latent in (0, 7, 39):
        dense_CL = found.dense_T(latent, tokens_CL.numel()).view_as(tokens_CL)
        torch.testing.assert_close(dense_CL, full_CLF[..., latent])
    torch.testing.assert_close(found.density_F(), (full_CLF > 0).float().sum((0, 1)) / found.valid_tokens)


def test_what_a_direction_writes_is_the_final_norms_and_the_unembeddings_alone(model_directory):
    lm = load_language_model(model_directory, layer=1, device=torch.device("cpu"))
    norm = {
        "gpt_neox": lambda model: model.gpt_neox.final_layer_norm,
        "gpt2": lambda model: model.transformer.ln_f,
        "llama": lambda model: model.model.norm,
    }[lm.model.config.model_type](lm.model)
    if hasattr(norm, "bias"):
        torch.nn.init.normal_(norm.bias)  # which is what is to drop out
    directions_ND = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    unembedding_VD = lm.model.get_output_embeddings().weight
    expected = (norm(directions_ND) - norm(torch.zeros(1, 16))) @ unembedding_VD.T
    torch.testing.assert_close(direct_logits(lm, directions_ND), expected)


def test_what_cannot_be_seen_has_a_sign_and_what_turns_its_neighbours_has_its_name():
    assert visible(" a\n\tb") == " a↵⇥b"
    assert visible("\u202eabc\x00\u200b") == "⟨U+202E⟩abc⟨U+0000⟩⟨U+200B⟩"
    for whole in ("שלום", "عربي", "👩\u200d🔬", "<b>&amp;", "é"):
        assert visible(whole) == whole


def test_tokens_read_as_they_stand_in_a_text():
    pieces = {0: ("▁the", "the"), 1: ("Ġthe", " the"), 2: ("âĢ", "\ufffd"), 3: ("<0x0A>", "\n"), 4: ("▁", "")}
    texts = TokenTexts(
        SimpleNamespace(convert_ids_to_tokens=lambda token: pieces[token][0], decode=lambda tokens, **_: pieces[tokens[0]][1])
    )
    assert [texts.text(token) for token in pieces] == [" the", " the", "⟨âĢ⟩", "\n", " "]
    assert texts.shown(3) == "↵"


class _Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.ids = set(), set(), "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def pages():
    return latent_pages(hard_views(), HARD, "model, <hook>")


def test_hard_tokens_are_shown_and_nothing_of_them_is_markup(pages):
    assert set(pages) == {
        "index.html",
        *(f"{folder}{name}.html" for folder in ("", "report/") for name in ("topk-k2", "wta-k1")),
    }
    for page in pages.values():
        parsed = _Tags(page)
        assert "model, <hook>" in parsed.text
        assert parsed.tags & {"img", "b", "x"} == set() and page.count("<script>") == (page != pages["index.html"])
        assert {name for name in parsed.attributes if name.startswith("on")} <= {"onsubmit"}
    for name in ("topk-k2", "wta-k1"):
        parsed = _Tags(pages[f"{name}.html"])
        for text in ("<script>window.harmed=1</script>", "⟨U+202E⟩", "שלום", "a&b", "⟨piece10⟩", "👩\u200d🔬", "<b>sport</b>"):
            assert text in parsed.text, text
        assert not set("\u202e\t\ufffd") & set(parsed.text)
        assert len(parsed.ids) == len(set(parsed.ids))


def test_pages_need_nothing_from_elsewhere_and_their_links_lead_somewhere(pages):
    anchors = {name: set(_Tags(page).ids) for name, page in pages.items()}
    links = 0
    for name, page in pages.items():
        assert not re.search(r"""(src=|href=|url\()["']?(https?:|//)""", page.replace("onerror", ""))
        for link in re.findall(r'href="([^"]*)"', page):
            file, _, anchor = link.partition("#")
            assert not (file and name.startswith("report/")), "a page in a report stands alone"
            assert not anchor or anchor in anchors[file or name], link
            assert not file or file in pages
            links += 1
    assert links > 40


def test_a_page_for_a_report_has_as_many_latents_as_fit_rare_and_common_ones(monkeypatch):
    view = hard_views()["topk-k2"]
    whole = latent_pages({"topk-k2": view}, HARD, "hook")
    assert len(_latents(whole["report/topk-k2.html"])) == 5  # all fit
    size = len(whole["topk-k2.html"].encode())
    by_density = sorted(view.views, key=lambda one: one.density)
    for limit, shown in ((0.75 * size, {0, 4}), (10, {0})):
        monkeypatch.setattr("wta_sae.presentation.latent_pages.REPORT_BYTES", int(limit))
        fewer = latent_pages({"topk-k2": view}, HARD, "hook")["report/topk-k2.html"]
        found = _latents(fewer)
        assert {by_density[number].latent for number in shown} <= found and len(found) < 5
        assert len(fewer.encode()) <= limit or len(found) == 1
        assert f"{len(found)} of 6 latents" in fewer


def _latents(page):
    return {int(number) for number in re.findall(r'<article class="latent" id="latent(\d+)"', page)}


def test_a_page_has_what_is_known_of_each_latent(pages):
    views = hard_views()["topk-k2"].views
    assert len(views) == 5
    page = pages["topk-k2.html"]
    assert "2,048" not in page and "5 of 6 latents" in page and "Latents that never fire there: 1." in page
    for view in views:
        panel = re.search(rf'<article class="latent" id="latent{view.latent}">(.*?)</article>', page, re.DOTALL)[1]
        text = _Tags(panel).text
        assert f"with {view.largest:.3g} at most" in text
        assert panel.count("<li>") == len(view.strongest) * 2 + sum(map(len, view.quantiles)) + len(
            view.matches["wta-k1"].windows
        )
        assert f"wta-k1, latent {view.matches['wta-k1'].latent}, cosine {view.matches['wta-k1'].cosine:.2f}" in text
        assert all(f"{logit:+.2f}" in text for _, logit in view.raised + view.lowered)
        assert view.raised[0][1] == max(logit for _, logit in view.raised) > view.lowered[0][1]
        assert len(view.nearest) == 5 and view.latent not in {near.latent for near in view.nearest}


@pytest.fixture(scope="module")
def golden_saes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browsed")
    for name, of in (("one", "batchtopk"), ("other", "topk")):
        weights = golden.saes()[of]
        kept = {"k": weights.k} if of == "topk" else {"threshold": weights.threshold.mean()}
        rule = "topk" if of == "topk" else "threshold"
        save_sae(folder / name, SAE(weights.W_enc_DF, weights.b_enc_F, weights.W_dec_FD, weights.b_dec_D, rule, **kept), {}, {})
    write_json(folder / "texts.json", {s: {n: f[:8] for n, f in golden.texts()[s].items()} for s in ("train", "test")})
    np.save(folder / "tokens.npy", golden.tokens()[:24].numpy())
    lm = ["--lm", str(golden.FOLDER / "lm"), "--layer", "2"]
    texts = ["--kind", "classes", "--texts", folder / "texts.json", "--context-length", 32, "--out", folder / "topics"]
    assert main(["cache-texts", *lm, *map(str, texts)]) == 0
    return folder


def browse(folder, *words, layer=2):
    lm = ["--lm", golden.FOLDER / "lm", "--layer", layer, "--token-file", folder / "tokens.npy"]
    return main(["browse", *map(str, [*lm, *words])])


def test_the_stage_writes_pages_of_several_saes_as_large_as_told(golden_saes, tmp_path):
    folder = golden_saes
    sizes = ["--shown-latents", 7, "--window-tokens", 6, "--contexts", 20]
    assert (
        browse(
            folder,
            "--saes",
            folder / "one",
            folder / "other",
            *sizes,
            "--residual-folders",
            folder / "topics",
            "--out",
            tmp_path / "out",
        )
        == 0
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"index.html", "one.html", "other.html", "report"}
    page = (tmp_path / "out/one.html").read_text(encoding="utf-8")
    assert page.count('<article class="latent"') == 7
    assert "By class: topics" in page and "Side by side" in page
    cache = TextCache(folder / "topics", torch.device("cpu"))
    rows = next(iter(cache.description.groups["test"].values()))
    residual_SLD, valid_SL = cache.of(rows)
    sae = golden.saes()["batchtopk"]
    latent = int(re.search(r'id="latent(\d+)"', page)[1])
    acts_SL = SAE(sae.W_enc_DF, sae.b_enc_F, sae.W_dec_FD, sae.b_dec_D, "threshold", threshold=sae.threshold.mean()).encode(
        residual_SLD
    )[..., latent]
    mean = ((acts_SL * valid_SL).sum(1) / valid_SL.sum(1)).mean().item()
    panel = page[page.index(f'id="latent{latent}"') :]
    assert f'<td class="n">{mean:.3g}' in panel[panel.index("By class") :][:600]


def test_one_sae_alone_has_no_sides_and_is_asked_for_by_its_own_flag(golden_saes, tmp_path):
    assert browse(golden_saes, "--sae", golden_saes / "one", "--shown-latents", 2, "--out", tmp_path / "out") == 0
    page = (tmp_path / "out/one.html").read_text(encoding="utf-8")
    assert "Side by side" not in page and "By class" not in page and page.count('<article class="latent"') == 2


def test_an_sae_that_never_fires_has_a_page_that_says_so(golden_saes, tmp_path):
    zeros = golden.saes()["topk"]
    dead = SAE(zeros.W_enc_DF * 0, zeros.b_enc_F * 0, zeros.W_dec_FD, zeros.b_dec_D, "topk", k=4)
    save_sae(tmp_path / "dead", dead, {}, {})
    assert (
        browse(golden_saes, "--saes", tmp_path / "dead", golden_saes / "one", "--shown-latents", 3, "--out", tmp_path / "out")
        == 0
    )
    page = (tmp_path / "out/dead.html").read_text(encoding="utf-8")
    assert "0 of 512 latents" in page and "Latents that never fire there: 512." in page
    assert "never fires here" in (tmp_path / "out/one.html").read_text(encoding="utf-8")


def test_what_cannot_be_shown_together_is_refused_in_one_line(golden_saes, tmp_path, capsys):
    folder = golden_saes
    assert browse(folder, "--saes", folder / "one", folder / "one", "--out", tmp_path / "out") == 1
    assert "--saes: two are called 'one'" in capsys.readouterr().err
    texts = ["--residual-folders", folder / "topics"]
    assert browse(folder, "--saes", folder / "one", *texts, "--out", tmp_path / "out", layer=1) == 1
    assert re.search(r"topics: of another model or block than --lm and --layer", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
