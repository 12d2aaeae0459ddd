import threading

import pytest

from wta_sae.activations.prefetch import one_ahead


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
