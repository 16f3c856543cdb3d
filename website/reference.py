"""Pages of the API reference: the public names by the groups of docs/api.md, widgets, modules, settings."""

import ast
import re
from collections.abc import Sequence

import spa_lab
from spa_lab.configs.presets import PRESETS, Preset
from spa_lab.configs.settings import flat, list_settings, setting_docs
from website import docstrings
from website.docstrings import ROOT

MODULES = {
    "spa_lab.envs.base": "The protocol of worlds",
    "spa_lab.learn.method": "The protocol of training methods",
    "spa_lab.learn.ppo": "PPO on step rewards",
    "spa_lab.learn.step_rewards": "Step rewards",
    "spa_lab.credit.methods": "Credit methods",
    "spa_lab.pipeline.metrics_feed": "Metrics while a run is trained",
    "spa_lab.pipeline.trackers": "Trackers of experiments",
    "spa_lab.importers": "Logs of other agents",
    "spa_lab.exporters": "Files of other tools",
}
"""Module below the public names that extensions use -> title."""


def pages() -> dict[str, str]:
    """Path -> text of every page of the reference."""
    intro, groups = public_groups()
    found = {f"api/{_slug(title)}.md": _group_page(title, table) for title, table in groups.items()}
    found["api/widgets.md"] = _widgets_page()
    found |= {f"api/{name}.md": _module_page(name, title) for name, title in MODULES.items()}
    names = [path.removeprefix("api/").removesuffix(".md") for path in found]
    toctree = "\n".join(["```{toctree}", ":maxdepth: 1", "", *names, "```"])
    return found | {"api/index.md": f"{intro}\n{toctree}\n", "all-settings.md": _settings_page()}


def public_groups() -> tuple[str, dict[str, str]]:
    """The beginning of docs/api.md, and title -> table of each of its groups."""
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    intro, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    groups = {}
    for part in parts:
        title, _, table = part.partition("\n")
        groups[title] = table.strip()
    return intro, groups


def directive(name: str) -> str:
    """The directive of Sphinx for a public name: for a class, a function or a module."""
    module, _, attribute = spa_lab._SOURCES[name].partition(":")
    module = f"spa_lab.{module}"
    if not attribute:
        return f".. automodule:: {module}"
    kind = "class" if isinstance(_definition(module, attribute), ast.ClassDef) else "function"
    return f".. auto{kind}:: spa_lab.{name}"


def _definition(module: str, name: str) -> ast.stmt | None:
    """Where a name is defined, through packages that import it from their modules."""
    found = docstrings.find(module, name)
    source = docstrings.imported_from(module, name)
    return _definition(source, name) if found is None and source is not None else found


def _group_page(title: str, table: str) -> str:
    names = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    return f"# {title}\n\n{table}\n\n{_rst([directive(name) for name in names])}"


def _widgets_page() -> str:
    tree = docstrings.tree(docstrings.module_file("spa_lab.widgets"))
    (names,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    listing = docstrings.docstring(tree).replace("`", "")
    classes = [
        f".. auto{'class' if name[0].isupper() else 'function'}:: spa_lab.widgets.{name}"
        for name in names
        if name not in spa_lab.__all__ and docstrings.imported_from("spa_lab.view.tables", name) is None
    ]
    return f"# Widgets\n\n```text\n{listing}\n```\n\n{_rst(classes)}"


def _module_page(name: str, title: str) -> str:
    public = [one for one in spa_lab.__all__ if f"{_home(one)}.".startswith(f"{name}.")]
    left_out = f"\n   :exclude-members: {', '.join(public)}" if public else ""
    block = _rst([f".. automodule:: {name}{left_out}"])
    return f"# {title}\n\n`{name}`\n\n{block}"


def _home(name: str) -> str:
    """The module of a public name, as the package's table says."""
    return f"spa_lab.{spa_lab._SOURCES[name].partition(':')[0]}"


def _rst(directives: Sequence[str]) -> str:
    blocks = (f"```{{eval-rst}}\n{text}\n```\n" for text in directives)
    return "\n".join(blocks)


def _settings_page() -> str:
    """Every setting with its values in the presets."""
    docs, values = setting_docs(Preset), {name: flat(preset) for name, preset in PRESETS.items()}
    lines = [
        "# Settings",
        "",
        "Every setting of a run, as `--KEY VALUE` on the command line, in a settings file, or as a field of",
        "`spa_lab.Preset`, with its value in each preset.",
    ]
    group = None
    for setting in list_settings(Preset):
        here = setting.key.rpartition(".")[0]
        if here != group:
            group = here
            lines += ["", f"## {here or 'Run'}", ""]
        shown = ", ".join(f"{name} {_value(of[setting.key])}" for name, of in values.items())
        lines += [f"`{setting.key}`", f": {docs[setting.key]} *{setting.allowed}; {shown}*", ""]
    return "\n".join(lines)


def _value(value: object) -> str:
    text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else '""'


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")
