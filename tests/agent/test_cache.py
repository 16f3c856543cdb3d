"""The key-value buffers: what is appended comes back, in the rows and columns asked for."""

import torch
from transformers import LlamaConfig

from spa_lab.agent.cache import RowCache
from spa_lab.agent.session import compaction_order

CONFIG = LlamaConfig(num_hidden_layers=2)


def _columns(*numbers: int, rows: int = 2) -> torch.Tensor:
    """(rows, 1 head, n, 1) whose row b holds 100 b + number."""
    base = 100.0 * torch.arange(rows)[:, None] + torch.tensor(numbers, dtype=torch.float)
    return base[:, None, :, None]


def test_columns_append_beyond_the_first_room() -> None:
    cache = RowCache(2)
    for n in range(20):
        for layer in (0, 1):
            keys, values = cache.update(_columns(n), _columns(n + 50), layer)
        assert keys.flatten().tolist() == [*range(n + 1), *range(100, 101 + n)]
        assert values.flatten().tolist() == [*range(50, 51 + n), *range(150, 151 + n)]
        assert cache.get_seq_length() == n + 1


def test_a_block_larger_than_twice_the_room() -> None:
    cache = RowCache(2)
    cache.update(_columns(0), _columns(0), 0)
    keys, _ = cache.update(_columns(*range(1, 40)), _columns(*range(1, 40)), 0)
    assert keys[0].flatten().tolist() == list(range(40))


def test_rows_and_columns_are_chosen_in_order() -> None:
    cache = RowCache(2)
    for layer in (0, 1):
        cache.update(_columns(0, 1, 2, 3), _columns(4, 5, 6, 7), layer)
    cache.rearrange(torch.tensor([1, 0, 1]), torch.tensor([[0, 2], [3, 1], [2, 2]]))
    keys, values = cache.update(_columns(9, rows=3), _columns(9, rows=3), 1)
    assert keys[:, 0, :, 0].tolist() == [[100, 102, 9], [3, 1, 109], [102, 102, 209]]
    assert values[:, 0, :, 0].tolist() == [[104, 106, 9], [7, 5, 109], [106, 106, 209]]
    assert cache.layers[0].get_seq_length() == 2


def test_compaction_order_keeps_used_columns_in_order() -> None:
    mask = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0]], dtype=torch.bool)
    order = compaction_order(mask)
    assert order.shape == (2, 3)
    assert order[0].tolist() == [0, 2, 3]
    assert order[1, 0] == 1
    assert mask.gather(1, order).tolist() == [[True, True, True], [True, False, False]]
