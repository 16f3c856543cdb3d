"""Settings as frozen dataclasses, one module for each part of the pipeline, and the presets.

`settings` reads and writes fields by dotted keys ("ppo.lr"), `files` reads TOML and YAML.
"""
