"""Muon for hidden matrices, AdamW for everything else, with warm-up and decay.

Weights in bfloat16 or float16 have a master copy in float32, which takes the updates: most updates are
smaller than half a step of the low precision and would be lost.
"""

import torch
from torch import Tensor, nn

from spa_lab.agent.processes import processes
from spa_lab.learn.checkpoint import LearnerState, snapshot
from spa_lab.learn.language import trainable_parameters

_LOW_PRECISION = (torch.bfloat16, torch.float16)
_MASTER = "master"


class Optimizer:
    """Two optimisers stepped as one.

    Args:
        model: its parameters with `requires_grad`.
        lr: peak learning rate of AdamW.
        muon_lr: peak learning rate of Muon (Jordan 2024) for two-dimensional hidden weights, which
            learns small transformers from scratch in about half the tokens; None leaves all to AdamW.
        n_updates: updates after which the rate reaches zero; None keeps it constant after warm-up.
        warmup: updates over which the rate rises, while it falls already: few updates stay below the peak.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        muon_lr: float | None = None,
        n_updates: int | None = None,
        warmup: int = 10,
    ) -> None:
        trained = trainable_parameters(model)
        self.parameters = [p for _, p in trained]
        self.masters = {
            i: p.detach().float() for i, p in enumerate(self.parameters) if p.dtype in _LOW_PRECISION
        }
        """Index in `parameters` -> float32 copy."""
        named = [(name, self.masters.get(i, p)) for i, (name, p) in enumerate(trained)]
        matrices = [p for name, p in named if muon_lr is not None and p.ndim == 2 and not _is_table(name)]
        taken = set(map(id, matrices))
        rest = [p for _, p in named if id(p) not in taken]
        self.parts: list[torch.optim.Optimizer] = []
        if rest or not matrices:
            self.parts.append(torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.95), weight_decay=0.0))
        if muon_lr is not None and matrices:
            self.parts.append(
                torch.optim.Muon(matrices, lr=muon_lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
            )
        self.peaks = [part.param_groups[0]["lr"] for part in self.parts]
        self.n_updates, self.warmup, self.done = n_updates, warmup, 0

    def step(self, *, clip: float = 1.0) -> float:
        """One update from the gradients that lie there, which are then cleared; returns their norm.

        Processes that work together take the mean of their gradients, and so make the same update.
        """
        processes().average_gradients(self.parameters)
        norm = nn.utils.clip_grad_norm_(self.parameters, clip)
        scale = min(1.0, (self.done + 1) / max(self.warmup, 1))
        if self.n_updates is not None:
            scale *= max(0.0, 1.0 - self.done / self.n_updates)
        for i, master in self.masters.items():
            gradient = self.parameters[i].grad
            master.grad = None if gradient is None else gradient.float()
        for part, peak in zip(self.parts, self.peaks, strict=True):
            part.param_groups[0]["lr"] = peak * scale
            part.step()
            part.zero_grad(set_to_none=True)
        with torch.no_grad():
            for i, master in self.masters.items():
                self.parameters[i].copy_(master)
                self.parameters[i].grad = None
        self.done += 1
        return float(norm)

    def state(self) -> LearnerState:
        """Moments and momenta of every weight, master copies, and the number of updates."""
        tensors = {
            f"{part}.{index}.{name}": snapshot(tensor)
            for part, optimizer in enumerate(self.parts)
            for index, moments in optimizer.state_dict()["state"].items()
            for name, tensor in moments.items()
        }
        tensors |= {f"{_MASTER}.{i}": snapshot(master) for i, master in self.masters.items()}
        return LearnerState(tensors, {"done": self.done})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`, of an optimiser of the same weights and rates."""
        saved: list[dict[int, dict[str, Tensor]]] = [{} for _ in self.parts]
        for key, tensor in state.tensors.items():
            part, index, *name = key.split(".")
            if part == _MASTER:
                self.masters[int(index)].copy_(tensor)
                continue
            saved[int(part)].setdefault(int(index), {})[name[0]] = tensor
        for optimizer, moments in zip(self.parts, saved, strict=True):
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.done = int(state.facts["done"])


def _is_table(name: str) -> bool:
    """Embeddings and output heads: their rows are tokens, not directions."""
    return "embed" in name or "lm_head" in name
