import time

from wta_sae.base.spent import Spent, read_spent, spent_since


def test_what_was_spent_reads_back_from_a_log():
    assert read_spent(f"some output\n{Spent(12.5, 20.25, 640)}\n") == Spent(12.5, 20.25, 640)
    assert read_spent(f"{Spent(1, 1, 1)}\nrun again\n{Spent(2, 3, 4)}\n") == Spent(2, 3, 4)
    assert read_spent(f"{Spent(2, 3, 4, on_gpu=True)}\n") == Spent(2, 3, 4, on_gpu=True)
    assert read_spent(f"{Spent(0.004, 0.08, 25)}\n").seconds == 0.004  # the least of jobs has taken some time
    assert read_spent("killed\n") is None


def test_work_shows_in_every_number():
    start, before = time.monotonic(), spent_since(time.monotonic())
    held = bytearray(50_000_000)
    while time.monotonic() < start + 0.2:
        sum(held[:1000])
    spent = spent_since(start)
    assert 0.2 <= spent.seconds < 5
    assert spent.processor_seconds > before.processor_seconds
    assert spent.megabytes >= 50
