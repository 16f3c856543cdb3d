"""Mistakes that a careless customer makes: a false belief and the action it leads to.

They stand in demonstrations so that the way back can be learnt. Nobody is taught to make them; none ends the
episode.
"""

import random
from dataclasses import replace

from spa_lab.envs.webshop.memory import Memory
from spa_lab.envs.webshop.thoughts import BUY, FITS, NOTHING, Move, missing, rows_in_words, wish_in_words
from spa_lab.envs.webshop.vocabulary import KINDS
from spa_lab.envs.webshop.wish import Wish


def slip(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    """One plausible mistake at this moment.

    Args:
        wish: what is wanted.
        memory: what was read so far.
        rng: draws the mistake.
    """
    if memory.page == "index":
        options = [_misreads, _misreads, _buys_nothing]
    elif memory.page == "results":
        options = [_trusts, _trusts, _overlooks, _buys_nothing]
    elif memory.page == "sub":
        options = [_denies, _gives_up, _buys_nothing]
    else:
        options = [_chooses_another, _denies, _gives_up]
    return rng.choice(options)(wish, memory, rng)


def _misreads(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    """Takes the instruction to ask for another kind of product, or for another attribute."""
    if rng.random() < 0.5:
        wrong = replace(wish, kind=rng.choice([kind for kind in KINDS if kind != wish.kind]))
    else:
        others = [attribute for attribute in wish.kind.attributes if attribute not in wish.attributes]
        wrong = replace(wish, attributes=(rng.choice(others),))
    return wish_in_words(wrong), f"search[{' '.join((*wrong.attributes, wrong.kind.noun))}]"


def _buys_nothing(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    """Believes to stand before a product; there is nothing to buy here."""
    return BUY, "click[buy now]"


def _trusts(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    """Opens a listed product that does not fit, as if it did."""
    wrong = [row for row in memory.rows if missing(wish, memory, row)]
    if not wrong:
        return _overlooks(wish, memory, rng)
    row = rng.choice(wrong)
    return rows_in_words([row], FITS), f"click[{row.asin}]"


def _overlooks(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    """Sees nothing that fits on this page."""
    return NOTHING, rng.choice(("click[next >]", "click[back to search]"))


def _chooses_another(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    """Chooses an option that nobody asked for."""
    others = [value for value in memory.offered if value not in wish.options]
    if not others:
        return _denies(wish, memory, rng)
    value = rng.choice(others)
    return f"I take {value}.", f"click[{value}]"


def _denies(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    """Does not see that the product has what is wanted."""
    false = [f"{attribute}: no." for attribute in wish.attributes]
    return rng.choice([*false, *(f"{value}: missing." for value in wish.options)]), "click[< prev]"


def _gives_up(wish: Wish, memory: Memory, rng: random.Random) -> Move:
    return NOTHING, "click[back to search]"
