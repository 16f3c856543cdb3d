"""Settings as frozen dataclasses, one module for each part of the pipeline, and the presets."""
