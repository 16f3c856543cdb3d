"""Where a served model is asked, and how patiently."""

from dataclasses import dataclass
from pathlib import Path

from spa_lab.configs.checks import check_not_negative, check_positive


@dataclass(frozen=True)
class ServerConfig:
    """An OpenAI-compatible server that takes and returns token ids, such as vLLM's."""

    url: str
    """Of the server, with or without "/v1" at its end."""
    folder: Path | None = None
    """Where adapters are written for the server, which must see it under the same path. None: a temporary
    folder, for a server on this machine."""
    timeout: float = 600.0
    """Seconds until a request counts as failed; a step must be written within them."""
    retries: int = 5
    """Times that a request is repeated after the server could not be reached, hung, or was overloaded."""
    pause: float = 1.0
    """Seconds before the first repetition; doubled before each further one, up to 30."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"server: expected a URL that begins with http:// or https://, got {self.url!r}")
        check_positive(timeout=self.timeout)
        check_not_negative(retries=self.retries, pause=self.pause)

    @property
    def root(self) -> str:
        """The URL below which "/v1/..." is."""
        return self.url.rstrip("/").removesuffix("/v1")
