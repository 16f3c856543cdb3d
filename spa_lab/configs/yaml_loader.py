"""YAML as settings are written: a key occurs once, 3e-5 is a number, and only true and false are booleans."""

import re
from typing import Any, ClassVar

import yaml

_BOOL = "tag:yaml.org,2002:bool"


class SettingsLoader(yaml.SafeLoader):
    """PyYAML's safe loader with four rules more.

    A repeated key is an error: the safe loader keeps the last one. So is a value that contains itself. As in
    YAML 1.2, "on", "off", "yes" and "no" are text ("off" is a value of `prompt.thinking`), and 3e-5, which
    has no point, is a number unless it is in quotes.
    """

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = True) -> Any:
        """The value of a node with all that it holds; raises ConstructorError if it contains itself."""
        if node in self.recursive_objects:
            raise yaml.constructor.ConstructorError(None, None, "a value contains itself", node.start_mark)
        return super().construct_object(node, deep=True)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node; raises ConstructorError for a key that comes twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


SettingsLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)
