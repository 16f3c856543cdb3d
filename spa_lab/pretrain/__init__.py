"""Makes the base models in `data/` from scratch: `python -m spa_lab.pretrain --env WORLD`.

The corpus of a world is play by its scripted expert. In half of the episodes the opening words a request
("You would like to ..."), and the expert carries it out. In the other half it words a task, as the world does
("Your task is to ..."), and the expert does something else. So the base learns the language, how the world
answers, how tasks are done and how to parse a request, but never to carry out a task: cloning teaches that.
"""
