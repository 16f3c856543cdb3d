"""Other spellings of household commands, and the form that ALFWorld expects instead.

ALFWorld compares commands letter by letter. "put the Mug 1 in desk 1" is refused by it and by our world;
the reply's reason then says which command was probably meant. Recordings of another release are translated
the same way.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from spa_lab.envs.household.game import Grammar
from spa_lab.envs.household.text import put_command

_NAME = r"((?:[a-z]+ )*?[a-z]+[ _-]?\d+)"
_WITH = r"(?:with|in|using|at|under|on)"
_PLACE = r"(?:in/on|into|onto|inside|in|on|to|at|under)"
_FORMS: tuple[tuple[str, str, str], ...] = (  # form, verbs, regular expression of what follows
    ("put", "put place move set drop insert lay", rf"(?: down)? {_NAME}(?: down)? {_PLACE} {_NAME}"),
    ("take", "take pick grab get remove", rf"(?: up)? {_NAME}(?: up)? (?:from|out of|off|in|on) {_NAME}"),
    ("go", "go walk move head navigate travel", rf"(?: over)?(?: to)? {_NAME}"),
    ("open", "open", rf"(?: up)? {_NAME}"),
    ("close", "close shut", rf" {_NAME}"),
    ("clean", "clean wash rinse", rf" {_NAME} {_WITH} {_NAME}"),
    ("heat", "heat warm microwave", rf"(?: up)? {_NAME} {_WITH} {_NAME}"),
    ("cool", "cool chill", rf"(?: down)? {_NAME} {_WITH} {_NAME}"),
    ("use", "use toggle turn switch", rf"(?: on)? {_NAME}(?: on)?(?: (?:on )?{_NAME})?"),
    ("slice", "slice cut", rf" {_NAME} {_WITH} {_NAME}"),
    ("examine", "examine inspect check look", rf"(?: at| in| inside)? {_NAME}"),
    ("look", "look", r"(?: around)?"),
    ("inventory", "inventory check", r"(?: inventory)?"),
)
_FORMS_OF_VERB: dict[str, list[tuple[re.Pattern[str], str]]] = {}
for _form, _verbs, _rest in _FORMS:
    for _verb in _verbs.split():
        _FORMS_OF_VERB.setdefault(_verb, []).append((re.compile(_verb + _rest), _form))
_TEMPLATES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {  # form -> with names, and with what the names stand for; `text.put_command` has those of "put"
        "take": ("take {0} from {1}", "take {object} from {receptacle}"),
        "go": ("go to {0}", "go to {receptacle}"),
        "open": ("open {0}", "open {receptacle}"),
        "close": ("close {0}", "close {receptacle}"),
        "clean": ("clean {0} with {1}", "clean {object} with {receptacle}"),
        "heat": ("heat {0} with {1}", "heat {object} with {receptacle}"),
        "cool": ("cool {0} with {1}", "cool {object} with {receptacle}"),
        "use": ("use {0}", "use {lamp}"),
        "slice": ("slice {0} with {1}", "slice {object} with {knife}"),
        "examine": ("examine {0}", "examine {receptacle or held object}"),
        "look": ("look", "look"),
        "inventory": ("inventory", "inventory"),
    }
)
_NUMBERED = re.compile(r"(.*?[a-z])[ _-]?(\d+)")


def standard_command(action: str, grammar: Grammar) -> str | None:
    """The command in ALFWorld's form that an action in another spelling means.

    Knows forms and not games: whether the named things exist is not checked.

    Args:
        action: free text: other verbs and prepositions, articles, capitals, "mug1", "coffee machine 1".
        grammar: which of ALFWorld's two forms of putting down to write.

    Returns:
        None if the action has no form that is known.
    """
    words = _plain(action)
    for pattern, form in _FORMS_OF_VERB.get(words.partition(" ")[0], ()):
        if match := pattern.fullmatch(words):
            names = [_name(name) for name in match.groups() if name]
            return _templates(form, grammar)[0].format(*names)
    return None


def expected_form(action: str, grammar: Grammar) -> str:
    """The template of the command that begins like `action`; "" if none does.

    For example "take {object} from {receptacle}" for "pick up the mug".
    """
    forms = _FORMS_OF_VERB.get(_plain(action).partition(" ")[0])
    return _templates(forms[0][1], grammar)[1] if forms else ""


def names_in(command: str) -> list[str]:
    """The numbered names in a command of ALFWorld's form, as in "mug 1"."""
    return re.findall(r"[a-z]+ \d+", command)


def _templates(form: str, grammar: Grammar) -> tuple[str, str]:
    if form == "put":
        return put_command("{0}", "{1}", grammar), put_command("{object}", "{receptacle}", grammar)
    return _TEMPLATES[form]


def _plain(action: str) -> str:
    """Lower case, without articles, final punctuation and superfluous white space."""
    words = action.lower().rstrip(" .!").split()
    return " ".join(word for word in words if word not in ("the", "a", "an", "some", "my"))


def _name(words: str) -> str:
    """A name as ALFWorld writes it: "coffeemachine 1" for "coffee machine1"."""
    match = _NUMBERED.fullmatch(words)
    assert match is not None, words
    return f"{match[1].replace(' ', '')} {match[2]}"
