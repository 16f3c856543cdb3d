"""An OpenAI-compatible server as a function from token ids to token ids, with their log-probabilities.

The server must take a prompt as token ids and return token ids: vLLM from release 0.10.2 on does, with
`return_token_ids`. Text would not do: encoded again it can be other tokens than were sampled. Every answer is
checked; an error is one line that names the URL.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from time import sleep
from typing import Any

import httpx

from spa_lab.configs.server import ServerConfig

KEY_VARIABLE = "SPA_LAB_SERVER_KEY"
"""Environment variable with the key that a server may ask for."""
_TRANSIENT = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_LONGEST_PAUSE = 30.0
_CONNECT_SECONDS = 10.0
_SHOWN = 300
"""Characters of an answer that an error shows."""


class ServerError(ConnectionError):
    """The server cannot be reached, refuses, or answers something that cannot be used; names the URL."""


@dataclass(frozen=True)
class Completion:
    """What a server wrote."""

    ids: tuple[int, ...]
    """Token ids, the one that ended the text included."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each."""
    best: float | None = None
    """Largest log-probability that the server names for the first token, if it names any."""


class ServerClient:
    """Connections to a server; threads may share it.

    Raises:
        ServerError: the URL is none, or the key cannot be sent.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        key = os.environ.get(KEY_VARIABLE)
        timeout = httpx.Timeout(config.timeout, connect=min(_CONNECT_SECONDS, config.timeout), pool=None)
        if key and not key.isascii():
            raise ServerError(f"{config.root}: the key in {KEY_VARIABLE} holds other characters than ASCII")
        try:
            self._client = httpx.Client(
                base_url=config.root,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=timeout,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
                trust_env=False,  # a server of a cluster is not behind the proxy to the internet
            )
        except httpx.InvalidURL as error:
            raise ServerError(f"{config.root}: {error}") from None

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    def models(self) -> list[Mapping[str, Any]]:
        """What the server can play: `id`, and where it says so `parent`, `root` and `max_model_len`.

        Raises:
            ServerError: see `ServerError`; so for all methods.
        """
        path = "/v1/models"
        listed = self._ask("GET", path)
        models = listed.get("data") if isinstance(listed, dict) else None
        if not (
            isinstance(models, list)
            and models
            and all(isinstance(model, dict) and isinstance(model.get("id"), str) for model in models)
        ):
            raise self._error(path, f"answers with no list of models: {listed!r:.{_SHOWN}}")
        return models

    def load_adapters(self, name: str, folder: str) -> None:
        """Let the server play adapters under a name; `folder` as the server sees it."""
        self._ask("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": folder})

    def unload_adapters(self, name: str) -> None:
        """Let the server forget adapters; not asked again if it fails."""
        self._ask("POST", "/v1/unload_lora_adapter", {"lora_name": name}, retries=0)

    def complete(
        self,
        model: str,
        prompt: Sequence[int],
        *,
        stop_ids: Sequence[int],
        max_tokens: int,
        temperature: float,
        seed: int | None,
    ) -> Completion:
        """Go on after a prompt, until a stop token or for `max_tokens` tokens.

        Nothing but the temperature shapes the distribution: defaults that a server takes from the model's
        generation_config.json are overruled.

        Args:
            model: name at the server.
            prompt: token ids.
            stop_ids: tokens that end the text.
            max_tokens: most tokens.
            temperature: 0 is greedy.
            seed: of the sampling.
        """
        path = "/v1/completions"
        answer = self._ask(
            "POST", path,
            {
                "model": model, "prompt": list(prompt), "max_tokens": max_tokens, "temperature": temperature,
                "seed": seed, "stop_token_ids": list(stop_ids), "logprobs": 1, "return_token_ids": True,
                "skip_special_tokens": False, "top_p": 1.0, "top_k": 0, "min_p": 0.0,
                "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
            },
        )  # fmt: skip
        try:
            completion = _completion(answer, prompt)
            _check_end(completion.ids, set(stop_ids), max_tokens, answer["choices"][0].get("finish_reason"))
        except ValueError as error:
            raise self._error(path, str(error)) from None
        return completion

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, retries: int | None = None
    ) -> Any:
        """The content of the answer; what may pass is asked again."""
        said, n = "", 1 + (self.config.retries if retries is None else retries)
        for attempt in range(n):
            if attempt:
                sleep(min(self.config.pause * 2 ** (attempt - 1), _LONGEST_PAUSE))
            try:
                response = self._client.request(method, path, json=body)
            except httpx.TimeoutException:
                said = f"no answer within {self.config.timeout:g} s"
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
            else:
                if response.status_code not in _TRANSIENT:
                    return self._content(path, response)
                said = _refusal(response)
        raise self._error(path, f"{said} (asked {n} times)")

    def _content(self, path: str, response: httpx.Response) -> Any:
        if response.is_error:
            raise self._error(path, _refusal(response))
        try:
            return response.json()
        except ValueError:
            if path.endswith("adapter"):  # these are confirmed in words
                return response.text
            raise self._error(path, f"answers with no JSON: {response.text!r:.{_SHOWN}}") from None

    def _error(self, path: str, said: str) -> ServerError:
        return ServerError(f"{self.config.root}{path}: {' '.join(said.split())}")


def _refusal(response: httpx.Response) -> str:
    """Status and message of a refusal, in the forms of vLLM and FastAPI."""
    try:
        said: Any = response.json()
    except ValueError:
        said = response.text
    while isinstance(said, dict):
        said = next((said[key] for key in ("error", "message", "detail") if key in said), str(said))
    return f"{response.status_code} {response.reason_phrase}: {str(said)[:_SHOWN]}"


def _completion(answer: Any, prompt: Sequence[int]) -> Completion:
    """The tokens of an answer; raises ValueError for one that cannot be used."""
    try:
        choice = answer["choices"][0]
        ids = choice.get("token_ids")
        logprobs = choice.get("logprobs") or {}
        numbers, named = logprobs.get("token_logprobs"), (logprobs.get("top_logprobs") or [None])[0]
        seen = choice.get("prompt_token_ids")
    except (AttributeError, IndexError, KeyError, TypeError):
        raise ValueError(f"answers with no choice: {answer!r:.{_SHOWN}}") from None
    if not isinstance(ids, list) or not all(type(token) is int and token >= 0 for token in ids):
        raise ValueError(
            "answers with text, but without token ids: the server must know return_token_ids, as vLLM does"
        )
    if seen is not None and seen != list(prompt):
        n_seen = len(seen) if isinstance(seen, list) else repr(seen)[:_SHOWN]
        raise ValueError(f"read other tokens than were sent: {n_seen}, not these {len(prompt)}")
    if not isinstance(numbers, list) or len(numbers) != len(ids):
        n = len(numbers) if isinstance(numbers, list) else 0
        raise ValueError(f"answers with {len(ids)} tokens and {n} log-probabilities")
    first = list(named.values()) if isinstance(named, dict) else []
    for told in (numbers, first):
        if not all(map(_is_logprob, told)):
            raise ValueError(f"answers with log-probabilities that are none: {told!r:.{_SHOWN}}")
    return Completion(tuple(ids), tuple(map(float, numbers)), max(first, default=None))


def _is_logprob(value: object) -> bool:
    return isinstance(value, int | float) and -math.inf < value <= 1e-6


def _check_end(ids: Sequence[int], stop_ids: set[int], max_tokens: int, reason: object) -> None:
    """Raise ValueError unless the tokens end at the first stop token, or are `max_tokens`."""
    ends = [i for i, token in enumerate(ids) if token in stop_ids]
    if len(ids) > max_tokens or (ends and ends[0] + 1 < len(ids)):
        raise ValueError(
            f"answers with {len(ids)} tokens, {max_tokens} were asked for"
            if len(ids) > max_tokens
            else f"goes on after end token {ids[ends[0]]}: the server must know stop_token_ids"
        )
    if not ends and len(ids) < max_tokens:
        raise ValueError(
            f"answers with {len(ids)} of {max_tokens} tokens and no end token (finish_reason {reason!r}); "
            "is its longest text shorter than prompt.context?"
        )
