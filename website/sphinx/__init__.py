"""Settings, extensions and style of the site for Sphinx."""

UNINSTALLED = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "peft",
    "gguf",
    "mlflow",
    "tensorboardX",
    "trackio",
    "wandb",
)
"""Packages that the API reference imitates, so that it is built without them and is the same with them."""
