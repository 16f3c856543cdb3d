"""A second device for tests: tensors that report another device and refuse to meet those of the CPU.

They are worked on by the processor all the same. As on a real accelerator, numbers without axes and indices
may come from the processor, and nothing else may; a copy to or from there has to be asked for.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
"""The one kind of device that is there on every machine; here its tensors have numbers."""
_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
_INDEXED = (
    torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default, torch.ops.aten._unsafe_index.Tensor,
)  # fmt: skip


class Far(Tensor):
    """A tensor on `DEVICE`."""

    _near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> "Far":
        """Around a tensor of the processor."""
        far = Tensor._make_wrapper_subclass(
            cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype,
            device=DEVICE,
        )  # fmt: skip
        far._near = near
        return far

    def __repr__(self, **_: Any) -> str:
        return f"Far({self._near})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Elsewhere(TorchDispatchMode):
    """Catches what is made on, or moved to, `DEVICE`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Whole(TorchFunctionMode):
    """What torch does otherwise for the kind of device that is borrowed here: it forgets numbers."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.tensor and kwargs.get("device") is not None:
            near = torch.tensor(*args, **kwargs | {"device": "cpu"})
            return Far(near) if torch.device(kwargs["device"]) == DEVICE else near
        if func is Tensor.tolist and isinstance(args[0], Far):  # subclasses may not override it
            return args[0]._near.tolist()
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], Far):
            args = (args[0], _indices(args[1]), *args[2:])
        return func(*args, **kwargs)


def _indices(index: Any) -> Any:
    """Lists as tensors of the processor; torch would forget their numbers, too."""
    if isinstance(index, tuple):
        return tuple(_indices(item) for item in index)
    return torch.tensor(index, device="cpu", dtype=torch.long) if isinstance(index, list) else index


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    if func._can_decompose():
        with _Elsewhere():  # inference mode hands over whole what training takes to pieces
            return func.decompose(*args, **kwargs)
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    is_far = [isinstance(tensor, Far) for tensor in tensors]
    asked = kwargs.get("device")
    if func not in _COPIES:
        near = tensors[:1] if func in _INDEXED else tensors
        met = [tensor for tensor in near if not isinstance(tensor, Far) and tensor.dim()]
        if any(is_far) and met:
            raise RuntimeError(
                f"{func}: {[tuple(tensor.shape) for tensor in met]} of the processor meet {DEVICE}"
            )
    there = any(is_far) if asked is None else torch.device(asked).type == DEVICE.type
    if asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    result = func(*tree_map(_near, args), **tree_map(_near, kwargs))
    if func._schema.is_mutable and func._schema.name.endswith("_"):
        return args[0]
    return tree_map(lambda leaf: Far(leaf) if isinstance(leaf, Tensor) and there else leaf, result)


def _near(value: Any) -> Any:
    return value._near if isinstance(value, Far) else value


@contextmanager
def elsewhere() -> Iterator[None]:
    """Within the block tensors can be made on, and moved to, `DEVICE`."""
    with _Whole(), _Elsewhere():
        yield


def moved(model: nn.Module) -> nn.Module:
    """A copy of a model with all weights on `DEVICE`, tied ones still tied."""
    model = copy.deepcopy(model)
    memo: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = memo.setdefault(
                    id(weight), nn.Parameter(Far(weight.detach()), requires_grad=weight.requires_grad)
                )
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = Far(buffer)
    return model
