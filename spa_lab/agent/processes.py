"""The processes that do one run together, started by `accelerate launch`; usually there is one.

Departs from data parallelism by wrappers such as torch's DistributedDataParallel: losses here call parts of a
model, which a wrapper would not see, so gradients are averaged where the optimiser takes them.

All processes hold the same models and execute the same code with the same random numbers. What takes time
they share: each plays its part of the episodes and reads its part of a batch, and all know the whole result
before they go on. What is not shared is computed by all alike, so it needs no code of its own.
"""

import atexit
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

_T = TypeVar("_T")
_BUCKET = 2**26
"""Numbers of gradients that are exchanged at once: 256 MiB in float32."""
_PATIENCE = timedelta(days=1)
"""How long a process waits for the others; one may play much longer episodes."""


@dataclass(frozen=True, eq=False)
class Processes:
    """The processes of a launch, seen from one of them; by default one alone."""

    index: int = 0
    size: int = 1
    group: Any = None
    """Exchanges objects, between the memories of CPUs."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes, prints and decides."""
        return self.index == 0

    def share(self, items: Sequence[_T]) -> list[_T]:
        """This process's part of N items: every `size`-th one."""
        return list(items[self.index :: self.size])

    def gather(self, items: Sequence[_T]) -> list[_T]:
        """The parts of all processes, in the order in which `share` divided them."""
        if self.size == 1:
            return list(items)
        parts: list[Any] = [None] * self.size
        distributed.all_gather_object(parts, list(items), group=self.group)
        whole = [None] * sum(map(len, parts))
        for index, part in enumerate(parts):
            whole[index :: self.size] = part
        return whole  # type: ignore[return-value]  # every place has been filled

    def sum(self, numbers: dict[str, float]) -> dict[str, float]:
        """Sums over all processes, which give the same names."""
        if self.size == 1:
            return numbers
        total = torch.tensor(list(numbers.values()), dtype=torch.float64)
        distributed.all_reduce(total, group=self.group)
        return dict(zip(numbers, total.tolist(), strict=True))

    def send(self, thing: Any) -> Any:
        """What the main process sends; it does not matter what the others give."""
        box = [thing]
        distributed.broadcast_object_list(box, src=0, group=self.group)
        return box[0]

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace gradients by their means over all processes, in float32.

        Whoever shares a batch multiplies its part of the loss by `size`; whoever computes the same as all
        others need not know.
        """
        if self.size == 1:
            return
        bucket: list[Tensor] = []
        n_numbers = 0
        for gradient in (parameter.grad for parameter in parameters if parameter.grad is not None):
            bucket.append(gradient)
            n_numbers += gradient.numel()
            if n_numbers >= _BUCKET:
                self._average(bucket)
                bucket, n_numbers = [], 0
        if bucket:
            self._average(bucket)

    def _average(self, gradients: Sequence[Tensor]) -> None:
        flat = torch.cat([gradient.flatten().float() for gradient in gradients])
        distributed.all_reduce(flat)
        parts = flat.div_(self.size).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


_ALONE = Processes()
_joined: list[Processes] = []
"""The launch, once it was joined: a process joins one, once."""
_working: list[Processes] = [_ALONE]


def processes() -> Processes:
    """Those that execute the present code together; outside of `together` this process alone."""
    return _working[-1]


@contextmanager
def together(team: Processes) -> Iterator[None]:
    """All processes of `team` execute the block, which may share and exchange."""
    _working.append(team)
    try:
        yield
    finally:
        _working.pop()


def launch_size() -> int:
    """Number of processes that a launcher has started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def launch_index() -> int:
    """Index of this process among them."""
    return int(os.environ["RANK"]) if launch_size() > 1 else 0


def join(*, cpu: bool) -> Processes:
    """Join the processes of the launch, once; waits for all of them.

    Args:
        cpu: compute on CPUs, and exchange by gloo; else each on its own accelerator.

    Raises:
        ValueError: `accelerate` is not installed.
    """
    if not _joined:
        try:
            from accelerate import PartialState
        except ImportError:
            raise ValueError("several processes need accelerate: pip install 'spa-lab[launch]'") from None
        state = PartialState(cpu=cpu, timeout=_PATIENCE)
        atexit.register(state.destroy_process_group)
        # an exchange of objects through accelerators would wait on them, and need their memory
        group = distributed.new_group(backend="gloo", timeout=_PATIENCE)
        _joined.append(Processes(state.process_index, state.num_processes, group))
    return _joined[0]
