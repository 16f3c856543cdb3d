"""A server for tests: vLLM's completions and adapters by a small model, token by token, and its failures.

Written against the fields of vLLM's protocol; shares nothing with `agent.engine`.
"""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from spa_lab.agent.lora import with_adapters
from spa_lab.agent.rollout import Policy

BASE = "base-model"
Body = dict[str, Any]
Fault = Callable[[Body], Body | str | None]
"""A good answer -> the body to send instead, or None to send nothing and end the connection."""


@dataclass(eq=False)
class FakeServer:
    """What it is asked, and what goes wrong."""

    policy: Policy
    url: str = ""
    longest: int | None = None
    raw: bool = False
    """Log-probabilities are those of temperature 1, vLLM's default."""
    asked: list[Body] = field(default_factory=list)
    """Requests of completions."""
    loaded: list[str] = field(default_factory=list)
    """Names of all adapters that were ever loaded."""
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    """Statuses and bodies of the next completions, in order; then all goes well."""
    models: dict[str, Any] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)
    """Ends the requests that hang."""

    def hang(self, answer: Body) -> None:
        """A fault: no answer until the test is over."""
        self.released.wait(20)

    @torch.inference_mode()
    def complete(self, body: Body) -> tuple[int, Body]:
        if body["model"] not in self.models:
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist.", "code": 404}}
        if not isinstance(body["prompt"], list):
            return 400, {"error": {"message": "prompt must be token ids here", "code": 400}}
        with self.lock:
            self.asked.append(body)
            ids, logprobs, best = self._write(self.models[body["model"]], body)
        choice = {
            "index": 0, "text": "not to be used", "finish_reason": "length",
            "token_ids": ids, "prompt_token_ids": body["prompt"],
            "logprobs": {"token_logprobs": logprobs, "top_logprobs": [{"x": p} for p in best], "tokens": []},
        }  # fmt: skip
        return 200, {"object": "text_completion", "choices": [choice]}

    def _write(self, model: Any, body: Body) -> tuple[list[int], list[float], list[float]]:
        ids: list[int] = []
        logprobs: list[float] = []
        best: list[float] = []
        rng, temperature = random.Random(body["seed"]), body["temperature"]
        while len(ids) < body["max_tokens"] and not set(ids[-1:]) & set(body["stop_token_ids"]):
            logits = model(torch.tensor([[*body["prompt"], *ids]])).logits[0, -1]
            scaled = torch.log_softmax(logits / (temperature or 1.0), -1)
            token = int(logits.argmax())
            if temperature:
                (token,) = rng.choices(range(len(scaled)), scaled.exp().tolist())
            told = torch.log_softmax(logits, -1) if self.raw else scaled
            ids.append(token)
            logprobs.append(float(told[token]))
            best.append(float(told.max()))
        return ids, logprobs, best

    def load(self, body: Body) -> tuple[int, str | Body]:
        name, folder = body["lora_name"], Path(body["lora_path"])
        if name in self.models:
            return 400, {"error": {"message": f"The lora adapter '{name}' has already been loaded."}}
        self.models[name] = with_adapters(self.policy.model, folder).eval()
        self.loaded.append(name)
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, body: Body) -> tuple[int, str | Body]:
        if self.models.pop(body["lora_name"], None) is None:
            return 404, {"error": {"message": f"The lora adapter '{body['lora_name']}' cannot be found."}}
        return 200, "Success"

    def answer(self, path: str, body: Body) -> tuple[int, Body | str | None]:
        if path == "/v1/models":
            parents = {name: None if name == BASE else BASE for name in self.models}
            longest = {} if self.longest is None else {"max_model_len": self.longest}
            return 200, {"data": [{"id": n, "parent": p} | longest for n, p in parents.items()]}
        if path.endswith("_lora_adapter"):
            return self.load(body) if "/load" in path else self.unload(body)
        status, good = self.complete(body)
        if self.faults:
            status, fault = self.faults.pop(0)
            return status, fault(good)
        return status, good


@contextmanager
def serving(policy: Policy, **options: Any) -> Iterator[FakeServer]:
    """A server of the model of `policy`, on this machine, for as long as the block lasts."""
    fake = FakeServer(policy, **options)
    fake.models[BASE] = policy.model

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or b"{}")
            status, answer = fake.answer(self.path, body)
            if answer is None:
                self.close_connection = True
                return
            content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        fake.url = f"http://127.0.0.1:{http.server_port}/v1"
        try:
            yield fake
        finally:
            fake.released.set()
            http.shutdown()
            thread.join()


def with_choice(**changes: Any) -> Fault:
    """An answer whose choice differs; None leaves a field out."""

    def fault(answer: Body) -> Body:
        choice = answer["choices"][0] | changes
        kept = {name: value for name, value in choice.items() if value is not None}
        return answer | {"choices": [kept]}

    return fault
