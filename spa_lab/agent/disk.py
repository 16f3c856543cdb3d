"""Refusals of the disk, which Hugging Face's Rust code reports by classes of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError


@contextmanager
def disk_refusals() -> Iterator[None]:
    """Raises OSError if a file cannot be written, where Hugging Face's Rust code raises other classes."""
    try:
        yield
    except Exception as error:
        if type(error) in (SafetensorError, Exception):  # tokenizers raise the bare class
            raise OSError(str(error)) from error
        raise
