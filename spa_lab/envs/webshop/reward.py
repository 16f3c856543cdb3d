"""The reward of a purchase and its components, as the original computes them.

    R = r_type * (n_att + n_opt + r_price) / (|attributes| + |options| + 1)

Source: WebShop (Yao et al. 2022), section 3 and `web_agent_site/engine/goal.py`. The components are reported,
but only the total is the reward, and only a purchase has one.
"""

from dataclasses import dataclass

from spa_lab.envs.webshop.fuzzy import token_set_ratio
from spa_lab.envs.webshop.goals import Goal, WantedOption
from spa_lab.envs.webshop.noun_scorer import NounScorer
from spa_lab.envs.webshop.product import Product

ALIKE = 85
"""Phrases with a higher ratio count as equal."""
NO_NOUNS = 0.2
"""Title score if the goal's name has no nouns."""
COLORS = tuple(
    "alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown"
    " burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee cognac"
    " copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia gold granite"
    " grape graphite grass gray green grey heather indigo ivory ivy khaki lavender lemon leopard light"
    " lilac lime magenta maroon mauve merlot midnight mint mocha multicolor mushroom mustard natural navy"
    " nude olive orange peach pewter pink plum purple rainbow red rose royal rust sand sapphire seashell"
    " silver skull slate steel stone stonewash sunflower tan taupe teal tiger turquoise violet walnut"
    " wheat white wine yellow".split()
)
_CATEGORY_SEPARATOR = "\u203a"


@dataclass(frozen=True)
class Reward:
    """The reward of one purchase. `r_*` lie in [0, 1]; `w_*` are shares of the denominator."""

    total: float
    """R, in [0, 1]."""
    r_type: float
    """Match of the kind of product: 1, 0.5, 0.1 or 0."""
    query_match: bool
    category_match: bool
    title_score: float
    """Share of the nouns of the goal's name that the bought product's name has."""
    r_att: float
    w_att: float
    r_option: float | None
    """None if the goal has no options; so is `w_option`."""
    w_option: float | None
    r_price: bool
    w_price: float
    type_scorer: str
    """Name of the `NounScorer`; rewards of different scorers cannot be compared."""


def reward_of(
    product: Product, goal: Goal, *, price: float, options: tuple[str, ...], scorer: NounScorer
) -> Reward:
    """The reward of buying `product` for `goal`.

    Args:
        product: the bought product.
        goal: the goal.
        price: its price, dollars.
        options: the chosen values; the names of their groups do not matter.
        scorer: finds the nouns of both names.
    """
    r_type, query_match, category_match, title_score = _type(product, goal, scorer)
    n_att = sum(_has(product, attribute) for attribute in goal.attributes)
    n_opt = _options(options, goal.options)
    r_price = price <= goal.price_upper
    n_parts = len(goal.attributes) + len(goal.options) + 1
    n_options = len(goal.options)
    return Reward(
        total=(n_att + n_opt + r_price) / n_parts * r_type,
        r_type=r_type,
        query_match=query_match,
        category_match=category_match,
        title_score=title_score,
        r_att=n_att / len(goal.attributes),
        w_att=len(goal.attributes) / n_parts,
        r_option=n_opt / n_options if n_options else None,
        w_option=n_options / n_parts if n_options else None,
        r_price=r_price,
        w_price=1 / n_parts,
        type_scorer=scorer.name,
    )


def normalize_color(option: str) -> str:
    """The first colour word (alphabetical) that occurs anywhere in `option`, else `option`."""
    return next((color for color in COLORS if color in option), option)


def _type(product: Product, goal: Goal, scorer: NounScorer) -> tuple[float, bool, bool, float]:
    query_match = product.query == goal.query
    category_match = len(_categories(product.product_category) & _categories(goal.product_category)) >= 2
    wanted = scorer.nouns(goal.name)
    shared = set(scorer.nouns(product.title)) & set(wanted)
    title_score = len(shared) / len(wanted) if wanted else NO_NOUNS
    if title_score == 0.0:
        r_type = 0.0
    elif title_score < 0.1:
        r_type = 0.1
    else:
        r_type = 1.0 if query_match or category_match or title_score > NO_NOUNS else 0.5
    return r_type, query_match, category_match, title_score


def _categories(path: str) -> set[str]:
    return {part.strip() for part in path.split(_CATEGORY_SEPARATOR)}


def _has(product: Product, attribute: str) -> bool:
    if any(token_set_ratio(label, attribute) > ALIKE for label in product.attributes):
        return True
    texts = (product.title, " ".join(product.bullets), product.description)
    return any(attribute in text.lower() for text in texts)


def _options(chosen: tuple[str, ...], wanted: tuple[WantedOption, ...]) -> int:
    """Number of wanted options that the chosen values satisfy; one value may satisfy several."""
    values = [normalize_color(value) for value in chosen]
    count = 0
    for option in map(_comparable, wanted):
        count += any(token_set_ratio(value, option) > ALIKE for value in values)
    return count


def _comparable(option: WantedOption) -> str:
    if isinstance(option, str):
        return normalize_color(option)
    # as in the original, a (name, value) pair is a colour only if name or value equals a colour word;
    # otherwise its Python representation, name included, is compared
    return next((color for color in COLORS if color in option), str(option))
