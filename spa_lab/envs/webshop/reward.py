"""What a purchase is worth, with all of its parts, as the original computes it.

    R = r_type * (n_att + n_opt + r_price) / (|attributes| + |options| + 1)

Source: WebShop (Yao et al. 2022), section 3 and `web_agent_site/engine/goal.py`. The parts are reported; only
their sum is the reward, and only a purchase has one.
"""

from dataclasses import dataclass

from spa_lab.envs.webshop.fuzzy import token_set_ratio
from spa_lab.envs.webshop.goals import Goal, WantedOption
from spa_lab.envs.webshop.noun_scorer import NounScorer
from spa_lab.envs.webshop.product import Product

ALIKE = 85
"""Phrases count as the same above this ratio."""
NO_NOUNS = 0.2
"""Title score where the wanted name has no nouns."""
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
    """The worth of one purchase. `r_*` lie in [0, 1]; `w_*` are shares of the denominator."""

    total: float
    """R, in [0, 1]."""
    r_type: float
    """Is it the right kind of thing: 1, 0.5, 0.1 or 0."""
    query_match: bool
    category_match: bool
    title_score: float
    """Share of the wanted name's nouns that the bought name has."""
    r_att: float
    w_att: float
    r_option: float | None
    """None where no option is wanted, as is `w_option`."""
    w_option: float | None
    r_price: bool
    w_price: float
    type_scorer: str
    """How the nouns were found; rewards of different scorers cannot be compared."""


def reward_of(
    product: Product, goal: Goal, *, price: float, options: tuple[str, ...], scorer: NounScorer
) -> Reward:
    """The worth of buying `product` when `goal` was wanted.

    Args:
        product: What is bought.
        goal: What is wanted.
        price: What it costs, dollars.
        options: The chosen values; the names of their groups do not matter.
        scorer: Finds the nouns of the two names.
    """
    r_type, query_match, category_match, title_score = _type(product, goal, scorer)
    n_att = sum(_has(product, attribute) for attribute in goal.attributes)
    n_opt = _options(options, goal.options)
    r_price = price <= goal.price_upper
    parts = len(goal.attributes) + len(goal.options) + 1
    wanted = len(goal.options)
    return Reward(
        total=(n_att + n_opt + r_price) / parts * r_type,
        r_type=r_type,
        query_match=query_match,
        category_match=category_match,
        title_score=title_score,
        r_att=n_att / len(goal.attributes),
        w_att=len(goal.attributes) / parts,
        r_option=n_opt / wanted if wanted else None,
        w_option=wanted / parts if wanted else None,
        r_price=r_price,
        w_price=1 / parts,
        type_scorer=scorer.name,
    )


def normalize_color(option: str) -> str:
    """The first colour word (alphabetical) that stands anywhere in `option`, else `option`."""
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
    """How many wanted options the chosen values satisfy; one value may satisfy several."""
    values = [normalize_color(value) for value in chosen]
    count = 0
    for option in map(_comparable, wanted):
        count += any(token_set_ratio(value, option) > ALIKE for value in values)
    return count


def _comparable(option: WantedOption) -> str:
    if isinstance(option, str):
        return normalize_color(option)
    # as in the original, a (name, value) pair is a colour only if one of the two is just that word, and is
    # otherwise compared in the way Python prints it, name included
    return next((color for color in COLORS if color in option), str(option))
