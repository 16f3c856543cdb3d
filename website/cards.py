"""Method cards: a page for each training method and each credit source.

What a card says is read from the tables `METHODS` and `SOURCES`, from the docstrings of the files behind them
and from their code: title, formula, source, needs, settings, cost, and where it fails.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from spa_lab.configs.presets import TINY, Preset
from spa_lab.configs.settings import flat, setting_docs
from spa_lab.learn.methods import METHODS, MethodEntry
from spa_lab.pipeline.sources import CONTINUATIONS, NO_MODEL, SOURCES
from website import docstrings
from website.docstrings import Parts
from website.used_settings import settings_fixed, settings_read

CLONING = "spa_lab.learn.cloning"
"""What the method without a training stage does."""
MODELS = {
    "fit_estimator": "spa_lab.learn.estimator",
    "estimator": "spa_lab.learn.estimator",
    "_predictor": "spa_lab.learn.return_predictor",
    "fit_progress": "spa_lab.learn.progress",
    "spa_progress": "spa_lab.learn.progress",
    "_bisect": "spa_lab.truth.bisection",
    "fit_ensemble_critic": "spa_lab.learn.ensemble_critic",
}
"""Call in a factory -> the module whose docstring describes the model."""
MODEL_WORDS = {
    NO_MODEL: "nothing to fit",
    CONTINUATIONS: "continuations of the policy",
    "bisection": "continuations of the policy",
}
"""`SourceEntry.model` in words."""
_ARXIV = re.compile(r"(?:arXiv[: ])?(\d{4}\.\d{5})")


@dataclass(frozen=True)
class Card:
    """What a page says of a method or source."""

    name: str
    """As on the command line."""
    kind: str
    """"method" or "source"."""
    title: str
    summary: str
    formulas: tuple[str, ...]
    origin: str
    """Paper, public code or "ours"."""
    needs: tuple[str, ...]
    text: tuple[str, ...]
    settings: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, str, str], ...]
    cost: str
    fails: str
    files: tuple[str, ...]
    """Modules that the card was read from."""


@cache
def method_cards() -> tuple[Card, ...]:
    """One for each entry of `METHODS`, in its order."""
    return tuple(_method_card(name, entry) for name, entry in METHODS.items())


@cache
def source_cards() -> tuple[Card, ...]:
    """One for each entry of `SOURCES`, in its order."""
    return tuple(_source_card(name) for name in SOURCES)


def _method_card(name: str, entry: MethodEntry) -> Card:
    module = entry.factory.partition(":")[0] if entry.factory else CLONING
    parts = docstrings.take_apart(docstrings.docstring(docstrings.tree(docstrings.module_file(module))))
    return Card(
        name=name, kind="method", title=entry.title, summary=parts.summary, formulas=parts.formulas,
        origin=_origin_of_method(module) or ", ".join(_papers(parts)) or "SPA-RL, arXiv:2505.20732",
        needs=tuple(sorted(entry.needs)), text=parts.text,
        settings=tuple(settings_read(module)), fixed=tuple(settings_fixed(module)),
        constants=tuple(docstrings.constants(module)), cost=parts.cost, fails=parts.fails, files=(module,),
    )  # fmt: skip


def _origin_of_method(module: str) -> str:
    """The text `origin=` of the module's `TrainingMethod`; "" without one."""
    method = docstrings.find(module, "METHOD")
    return _keyword(method.value, "origin") if isinstance(method, ast.Assign) else ""


def _source_card(name: str) -> Card:
    entry = SOURCES[name]
    module, _, function = entry.factory.partition(":")
    factory = docstrings.find(module, function)
    own = docstrings.take_apart(docstrings.docstring(factory))
    behind = list(_behind(factory))
    parts = [docstrings.take_apart(text) for _, text in behind]
    formulas = [formula for part in (own, *parts) for formula in part.formulas]
    papers = [paper for part in (own, *parts) for paper in _papers(part)]
    text = [paragraph for part in parts for paragraph in (part.summary, *part.text) if paragraph]
    return Card(
        name=name, kind="source", title=entry.title, summary=own.summary, formulas=tuple(formulas),
        origin=_origin_of_source(factory) or ", ".join(dict.fromkeys(papers)) or "ours",
        needs=(MODEL_WORDS.get(entry.model, "a fitted model"),), text=(*own.text, *text),
        settings=_settings_of_models(factory), fixed=(), constants=(),
        cost=own.cost, fails=own.fails,
        files=tuple(dict.fromkeys((module, *(file for file, _ in behind)))),
    )  # fmt: skip


def _behind(factory: ast.AST | None) -> Iterator[tuple[str, str]]:
    """Module and docstring of the credit method, and of the models, that a factory uses."""
    if factory is None:
        return
    for node in ast.walk(factory):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "methods":
            module = docstrings.imported_from("spa_lab.credit.methods", node.attr)
            if module is not None:
                found = docstrings.docstring(docstrings.find(module, node.attr))
                yield module, found or docstrings.doc_of_constant(module, node.attr)
    for module in _models(factory):
        yield module, docstrings.docstring(docstrings.tree(docstrings.module_file(module)))


def _models(factory: ast.AST) -> list[str]:
    """Modules of the models that a factory fits or loads."""
    called = [ast.unparse(node.func) for node in ast.walk(factory) if isinstance(node, ast.Call)]
    return list(dict.fromkeys(MODELS[one] for name in called if (one := name.rpartition(".")[2]) in MODELS))


def _settings_of_models(factory: ast.AST | None) -> tuple[str, ...]:
    """Groups of settings that the factory names, or that its model is configured by."""
    text = ast.unparse(factory) if factory is not None else ""
    groups = ["estimator"] if "_predictor(" in text or "estimator" in text else []
    return (*groups, *(["progress"] if "preset.progress" in text else []))


def _origin_of_source(factory: ast.AST | None) -> str:
    """What a factory, or the credit method that it makes, says of the origin; "" if neither does."""
    places = [factory]
    for node in ast.walk(factory) if factory is not None else ():
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "methods":
            module = docstrings.imported_from("spa_lab.credit.methods", node.attr)
            places.append(docstrings.find(module, node.attr) if module else None)
    return next((origin for place in places if place is not None for origin in _origins(place)), "")


def _origins(place: ast.AST) -> Iterator[str]:
    """Texts that are assigned to `origin`, passed as `origin=`, its default, or passed to `CreditMethod`."""
    for node in ast.walk(place):
        values: list[ast.expr | None] = []
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "origin":
            values = [node.value]
        elif isinstance(node, ast.Call):
            values = [word.value for word in node.keywords if word.arg == "origin"]
            values += node.args[1:2] if ast.unparse(node.func) == "CreditMethod" else []
        elif isinstance(node, ast.arguments):
            defaults = zip(node.kwonlyargs, node.kw_defaults, strict=True)
            values = [default for argument, default in defaults if argument.arg == "origin"]
        yield from (str(one.value) for one in values if isinstance(one, ast.Constant) and one.value)


def _keyword(call: ast.expr, name: str) -> str:
    words = call.keywords if isinstance(call, ast.Call) else []
    return next((str(ast.literal_eval(word.value)) for word in words if word.arg == name), "")


def _papers(parts: Parts) -> list[str]:
    text = " ".join((parts.summary, *parts.formulas, *parts.text))
    return [f"arXiv:{number}" for number in dict.fromkeys(_ARXIV.findall(text))]


def render(card: Card) -> str:
    """The page of a card, in MyST Markdown."""
    flag = {"method": "--method", "source": "--source"}[card.kind]
    facts = [
        ("name", f"`{flag} {card.name}`"),
        ("source", _linked(card.origin)),
        ("needs", ", ".join(card.needs) or "nothing before training"),
        ("cost", _linked(card.cost)),
        ("read from", ", ".join(f"`{file}`" for file in card.files)),
    ]
    lines = [f"# {card.title}", "", _linked(card.summary), ""]
    for formula in card.formulas:
        lines += ["```{raw} html", docstrings.formula_html(formula), "```", ""]
    lines += ["| | |", "|---|---|", *(f"| **{name}** | {_cell(value)} |" for name, value in facts), ""]
    for paragraph in card.text:
        lines += [_linked(paragraph), ""]
    lines += ["## When it fails", "", _linked(card.fails), ""]
    return "\n".join([*lines, *_settings_section(card)]) + "\n"


def _settings_section(card: Card) -> Iterator[str]:
    """Settings that are read, those that are fixed, and constants of the file."""
    yield from ("## Settings", "")
    if not (card.settings or card.fixed or card.constants):
        yield from ("None.", "")
    if card.settings:
        docs, values = setting_docs(Preset), flat(TINY)
        yield from ("| setting | preset `tiny` | meaning |", "|---|---|---|")
        for key in card.settings:
            if key in docs:
                first = docs[key].split(". ")[0].rstrip(".")
                yield f"| `{key}` | {_value(values[key])} | {_cell(first)} |"
            else:
                yield f"| `{key}.*` | | all of [this group](../all-settings.md#{key}) |"
        yield ""
    if card.fixed:
        yield from ("Fixed by the method, whatever the preset says:", "", "| name | value |", "|---|---|")
        yield from (*(f"| `{name}` | `{value}` |" for name, value in card.fixed), "")
    if card.constants:
        yield from ("Constants of the file:", "", "| name | value | meaning |", "|---|---|---|")
        yield from (*(f"| `{name}` | {value} | {_cell(doc)} |" for name, value, doc in card.constants), "")


def _value(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _linked(text: str) -> str:
    """Prose of a docstring as Markdown: what would be markup is escaped outside of backticks."""
    pieces = text.split("`")
    for i in range(0, len(pieces), 2):
        pieces[i] = re.sub(r"([*_<>\[\]{}$^#~\\])", r"\\\1", pieces[i])
    linked = "`".join(pieces)
    return re.sub(r"arXiv:(\d{4}\.\d{5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", linked)
