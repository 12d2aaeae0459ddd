import threading

import pytest
import torch

from wta_sae.training.prefetch import on_device, one_ahead


def test_each_item_comes_once_in_order_and_one_ahead():
    read, prepared_in = [], set()

    def source():
        for number in range(5):
            read.append(number)
            yield number

    def prepared(number):
        prepared_in.add(threading.current_thread())
        return number * 10

    items = one_ahead(source(), prepared)
    assert read == []
    assert next(items) == 0
    assert list(items) == [10, 20, 30, 40]
    assert read == [0, 1, 2, 3, 4]
    assert threading.current_thread() not in prepared_in
    assert list(one_ahead([], prepared)) == []


def test_no_more_than_one_item_is_read_ahead():
    read = []
    items = one_ahead(iter(lambda: read.append(0), 1), lambda item: item)
    for wanted in range(1, 4):
        next(items)
        assert len(read) <= wanted + 1
    items.close()
    assert len(read) == 4  # the one under way was waited for


def test_an_error_in_reading_comes_to_the_reader():
    def source():
        yield 1
        raise OSError("disk")

    items = one_ahead(source(), lambda item: item)
    assert next(items) == 1
    with pytest.raises(OSError, match="disk"):
        next(items)


def test_on_a_cpu_batches_pass_as_they_are():
    batches = [torch.zeros(2), torch.ones(2)]
    assert all(one is other for one, other in zip(on_device(batches, torch.device("cpu")), batches, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: nothing to copy to")
def test_on_a_gpu_batches_arrive_whole():
    batches = [torch.full((512, 1024), float(number)) for number in range(8)]
    arrived = list(on_device(batches, torch.device("cuda")))
    assert all(torch.equal(one.cpu(), other) for one, other in zip(arrived, batches, strict=True))
    assert all(one.is_cuda for one in arrived)
