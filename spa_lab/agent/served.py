"""Rows written by a server: the interface of `agent.engine.Engine`, without a model in this process.

Every step of a row is a request with the row's whole text; the server's prefix cache takes the place of kept
keys and values. Rows do not wait for one another. A step's seed is drawn from its row's own random numbers,
so an episode depends on its own seed alone, as far as the server's arithmetic does not depend on what else it
writes.

A server is told adapters, never whole weights: a policy without adapters is the model that the server was
started with.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING

from spa_lab.agent.episode import TokenRules
from spa_lab.agent.lora import ADAPTER_WEIGHTS, has_lora, save_adapters
from spa_lab.agent.row import Row, Written
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.agent.server import Completion, ServerClient, ServerError
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.configs.server import ServerConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PREFIX = "spa-lab"
"""Of the names under which adapters are loaded."""
_CERTAIN = -1e-3
"""Log-probability above which a temperature changes too little to be seen."""


class ServedEngine:
    """Rows in progress at a server, and rows that wait.

    Args:
        client: of the server.
        model: name at the server.
        rules: when steps and episodes end.
        config: temperature, longest step, rows side by side; the server bounds its own cache.
    """

    def __init__(self, client: ServerClient, model: str, rules: TokenRules, config: RolloutConfig) -> None:
        self.client, self.model, self.rules, self.config = client, model, rules, config
        self.stop_ids = sorted(rules.codec.stop_ids)
        self.queue: deque[Row] = deque()
        self.requests: dict[Future[Completion], Row] = {}
        self.scales = config.temperature not in (0.0, 1.0)
        """Whether log-probabilities must be those of another temperature, which is not checked yet."""

    @property
    def busy(self) -> bool:
        """Whether anything is left to write."""
        return bool(self.requests or self.queue)

    @property
    def n_wanted(self) -> int:
        """Rows that could be admitted beyond those that wait."""
        return max(0, self.config.parallel - len(self.requests) - len(self.queue))

    def add(self, row: Row) -> None:
        """Let the branches of a row wait for a request, each on its own, from the beginning of a step."""
        for branch in row.branches:
            self.queue.append(row.fork([branch]))

    def advance(self) -> list[Row]:
        """Wait for a step, and do what follows from it; returns the rows that ended.

        Raises:
            ServerError: the server cannot be reached, or answers something that cannot be used.
        """
        while self.queue and len(self.requests) < self.config.parallel:
            row = self.queue.popleft()
            self.requests[_started(partial(self._write, row, self._seed(row)))] = row
        done = wait(self.requests, return_when=FIRST_COMPLETED).done
        over = []
        for future in [future for future in self.requests if future in done]:
            row = self.requests.pop(future)
            if self._take(row, future.result()):
                self.queue.append(row)
            else:
                over.append(row)
        return over

    def close(self) -> None:
        """Give up what is not written yet."""
        self.queue.clear()
        self.requests.clear()

    def _seed(self, row: Row) -> int | None:
        return row.branches[0].rng.getrandbits(31) if self.config.temperature else None

    def _write(self, row: Row, seed: int | None, *, temperature: float | None = None) -> Completion:
        """In a thread of its own: one step."""
        prompt = [*row.read, *row.pending]
        if self.scales and temperature is None:
            self._check_scaled(row)
        return self.client.complete(
            self.model, prompt, stop_ids=self.stop_ids,
            max_tokens=self.config.max_new_tokens if temperature is None else 1,
            temperature=self.config.temperature if temperature is None else temperature, seed=seed,
        )  # fmt: skip

    def _check_scaled(self, row: Row) -> None:
        """Check, where it can be seen, that log-probabilities are those of the temperature asked for.

        vLLM gives those of temperature 1 unless it is started with `--logprobs-mode processed_logprobs`.
        """
        own, double = (
            self._write(row, 0, temperature=factor * self.config.temperature).best for factor in (1, 2)
        )
        if own is None or double is None or min(own, double) > _CERTAIN:
            return
        if abs(own - double) < abs(_CERTAIN) * 1e-3:
            raise ServerError(
                f"{self.client.config.root}: log-probabilities do not depend on the temperature; start vLLM "
                "with --logprobs-mode processed_logprobs, or sample at temperature 1"
            )
        self.scales = False

    def _take(self, row: Row, completion: Completion) -> bool:
        """Execute a step; False if nothing is left to read."""
        row.read += [*row.pending, *completion.ids[:-1]]
        row.pending = [completion.ids[-1]]
        following = row.following(Written(completion.ids, completion.logprobs))
        if following is None:
            row.pending = []
            return False
        row.pending += following
        return True


def _started(write: Callable[[], Completion]) -> Future[Completion]:
    """What a daemon thread writes: a process that ends does not wait for requests in flight."""
    future: Future[Completion] = Future()

    def work() -> None:
        try:
            future.set_result(write())
        except Exception as error:  # noqa: BLE001  raised where the result is asked for
            future.set_exception(error)

    Thread(target=work, name="server", daemon=True).start()
    return future


@contextmanager
def served(
    config: ServerConfig,
    rules: TokenRules,
    rollout: RolloutConfig,
    *,
    adapters: "PreTrainedModel | Path | None",
    allowed: AllowedTexts | None = None,
) -> Iterator[ServedEngine]:
    """An engine at a server for as long as the block lasts.

    Args:
        config: the server.
        rules: when steps and episodes end.
        rollout: temperature, longest step, rows side by side.
        adapters: a model with adapters, which are loaded for the block; a folder of saved ones, which stay
            loaded; or None, or a model without adapters, for the model that the server was started with.
        allowed: must be None: a server cannot be restricted to texts.

    Raises:
        ValueError: `allowed` is not None.
        ServerError: the server cannot be reached or refuses the adapters, or reads shorter texts than the
            policy may write.
    """
    if allowed is not None:
        raise ValueError(f"{config.url}: a server cannot be restricted to allowed texts")
    with ExitStack() as at_end:
        client = ServerClient(config)
        at_end.callback(client.close)
        name = _base(client, rules.context)
        if isinstance(adapters, Path):
            name = _load_saved(client, adapters)
        elif adapters is not None and has_lora(adapters):
            name = at_end.enter_context(_loaded(client, adapters))
        engine = ServedEngine(client, name, rules, rollout)
        at_end.callback(engine.close)
        yield engine


def _base(client: ServerClient, context: int) -> str:
    """The name of the model that the server was started with."""
    models = client.models()
    base = next((model for model in models if not model.get("parent")), models[0])
    longest = base.get("max_model_len")
    if isinstance(longest, int) and longest < context:
        raise ServerError(
            f"{client.config.root}: reads {longest} tokens, an episode may have {context}; set "
            f"--max-model-len {context} there or --prompt.context {longest} here"
        )
    return str(base["id"])


def _load_saved(client: ServerClient, folder: Path) -> str:
    """The name of saved adapters, loaded unless they are; it says what they are, so that all may use it."""
    name = f"{_PREFIX}-{hashlib.sha256((folder / ADAPTER_WEIGHTS).read_bytes()).hexdigest()[:16]}"
    if not _is_loaded(client, name):
        _load(client, name, folder)
    return name


def _load(client: ServerClient, name: str, folder: Path) -> None:
    """Load adapters; it is no error if they are, by another process or because an answer was lost."""
    try:
        client.load_adapters(name, str(folder.resolve()))
    except ServerError:
        if not _is_loaded(client, name):
            raise


def _is_loaded(client: ServerClient, name: str) -> bool:
    return any(model["id"] == name for model in client.models())


@contextmanager
def _loaded(client: ServerClient, model: "PreTrainedModel") -> Iterator[str]:
    """The name of a model's present adapters, which are loaded for the block.

    It is a name of their own, so that nothing else relies on files that are removed here.
    """
    parent = client.config.folder
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{_PREFIX}-", dir=parent) as made:
        folder = Path(made)
        folder.chmod(0o755)  # a server may run as another user
        save_adapters(model, folder)
        try:
            _load(client, folder.name, folder)
            yield folder.name
        finally:
            with suppress(ServerError):  # what is left there harms nobody
                client.unload_adapters(folder.name)
