"""TopK with a floor for each latent."""

from torch import eye, tensor

from variant_rules import a_rule, moment, selected


def test_a_token_keeps_its_largest_and_a_latent_too():
    pre_BF = tensor([[5.0, 4.0, 0.5, 0.0], [6.0, 3.0, 1.0, 0.0], [7.0, 2.0, 0.2, 0.0]])
    assert selected("hybrid_token", pre_BF, 1).tolist() == [[5, 4, 0, 0], [6, 0, 1, 0], [7, 0, 0, 0]]
    assert selected("hybrid_token", pre_BF, 1, floor=2).tolist() == [[5, 4, 0.5, 0], [6, 3, 1, 0], [7, 0, 0, 0]]


def test_a_floor_beyond_the_batch_is_all_of_it():
    pre_BF = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert selected("hybrid_token", pre_BF, 1, floor=9).tolist() == pre_BF.tolist()


def test_with_patience_only_a_latent_that_was_silent_for_so_many_batches_keeps_its_floor():
    pre_BF = tensor([[5.0, 4.0, 0.5], [6.0, 3.0, 1.0]])
    rule = a_rule("hybrid_token", 1, pre_BF.shape, patience=2)
    owed = {(0, 3, 3): [[5, 0, 0], [6, 0, 0]], (0, 3, 4): [[5, 0, 0], [6, 0, 1]], (0, 4, 9): [[5, 4, 0], [6, 0, 1]]}
    for silent, kept in owed.items():
        now = moment(silent_tokens_F=tensor(silent))  # of batches of two tokens
        assert rule.select(pre_BF, now).tolist() == kept
        assert rule.select_pairs(pre_BF.clone(), now).decode(eye(3)).tolist() == kept
