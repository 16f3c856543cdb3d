"""Make the base models in `data/` from nothing: `python -m spa_lab.pretrain --env WORLD`.

Each world has a corpus of play by its scripted expert (`household.py`, `webshop.py`, `virtualhome.py`), half
of it by somebody who does what they wish, half by somebody who has a task, as the world words it, and does
something else instead. The base learns the language, how the world answers, how things are done there and
how a wish is read; that a task is to be done as well is left for cloning to teach.
"""
