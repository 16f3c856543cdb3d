"""Plausible mistakes of a careless shopper: a false belief and the action that follows from it.

Demonstrations contain them so that a policy sees how to recover. They are masked from the loss, and none ends
the episode.
"""

import random
from dataclasses import replace

from spa_lab.envs.webshop.memory import Memory
from spa_lab.envs.webshop.parsed_instruction import ParsedInstruction
from spa_lab.envs.webshop.thoughts import BUY, FITS, NOTHING, Move, first_fault, listing, requirement_thought
from spa_lab.envs.webshop.vocabulary import KINDS


def mistake(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """A plausible mistake in the current situation.

    Args:
        wanted: what the instruction asks for.
        memory: what the shopper has read so far.
        rng: draws the mistake.
    """
    if memory.page == "index":
        options = [_misread_instruction, _misread_instruction, _buy_nothing]
    elif memory.page == "results":
        options = [_open_unsuitable, _open_unsuitable, _overlook, _buy_nothing]
    elif memory.page == "sub":
        options = [_deny, _give_up, _buy_nothing]
    else:
        options = [_choose_other_option, _deny, _give_up]
    return rng.choice(options)(wanted, memory, rng)


def _misread_instruction(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Searches for another kind of product, or for another attribute."""
    if rng.random() < 0.5:
        misread = replace(wanted, kind=rng.choice([kind for kind in KINDS if kind != wanted.kind]))
    else:
        others = [attribute for attribute in wanted.kind.attributes if attribute not in wanted.attributes]
        misread = replace(wanted, attributes=(rng.choice(others),))
    query = " ".join((*misread.attributes, misread.kind.noun))
    return requirement_thought(misread), f"search[{query}]"


def _buy_nothing(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Tries to buy on a page that has no "Buy Now" button."""
    return BUY, "click[buy now]"


def _open_unsuitable(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Opens a listed product that does not meet the requirements."""
    unsuitable = [product for product in memory.listed if first_fault(wanted, memory, product)]
    if not unsuitable:
        return _overlook(wanted, memory, rng)
    product = rng.choice(unsuitable)
    return listing([product], FITS), f"click[{product.asin}]"


def _overlook(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Leaves the page of results as if nothing on it were suitable."""
    return NOTHING, rng.choice(("click[next >]", "click[back to search]"))


def _choose_other_option(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Chooses an option that the instruction does not ask for."""
    others = [value for value in memory.offered if value not in wanted.options]
    if not others:
        return _deny(wanted, memory, rng)
    value = rng.choice(others)
    return f"I take {value}.", f"click[{value}]"


def _deny(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Believes that the product lacks something which it may have."""
    denials = [f"{attribute}: no." for attribute in wanted.attributes]
    return rng.choice([*denials, *(f"{value}: missing." for value in wanted.options)]), "click[< prev]"


def _give_up(wanted: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Goes back to the start page."""
    return NOTHING, "click[back to search]"
