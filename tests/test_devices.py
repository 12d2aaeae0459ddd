import pytest
import torch

from wta_sae.machine.devices import product_dtype, tensor_cores

FLAGS = torch.backends.cuda.matmul


def test_tensor_cores_are_used_inside_the_block_only():
    with pytest.raises(ZeroDivisionError), tensor_cores():
        assert FLAGS.allow_tf32
        assert not FLAGS.allow_bf16_reduced_precision_reduction
        raise ZeroDivisionError
    assert not FLAGS.allow_tf32
    assert FLAGS.allow_bf16_reduced_precision_reduction


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_cpu_multiplies_in_the_tensors_own_dtype(dtype):
    assert product_dtype(torch.zeros(1, dtype=dtype)) == dtype
    with tensor_cores():  # 1 + 2^-20 has more bits than TF32
        assert (torch.tensor([[1 + 2**-20]], dtype=dtype) @ torch.ones(1, 1, dtype=dtype)).item() == 1 + 2**-20
