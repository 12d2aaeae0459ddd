"""TopK with a floor for each latent."""

from torch import tensor

from variant_rules import selected


def test_a_token_keeps_its_largest_and_a_latent_too():
    pre_BF = tensor([[5.0, 4.0, 0.5, 0.0], [6.0, 3.0, 1.0, 0.0], [7.0, 2.0, 0.2, 0.0]])
    assert selected("hybrid_token", pre_BF, 1).tolist() == [[5, 4, 0, 0], [6, 0, 1, 0], [7, 0, 0, 0]]
    assert selected("hybrid_token", pre_BF, 1, floor=2).tolist() == [[5, 4, 0.5, 0], [6, 3, 1, 0], [7, 0, 0, 0]]


def test_a_floor_beyond_the_batch_is_all_of_it():
    pre_BF = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert selected("hybrid_token", pre_BF, 1, floor=9).tolist() == pre_BF.tolist()
