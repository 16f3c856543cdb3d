"""A grid of arms, worlds and seeds: what it holds, how it is run, and what it shows.

    spec        the file that says what is compared
    cells       the pieces of work, shared stages first
    ledger      what ran, failed, and how long: one file a cell
    execute     cells on joblib, killed and continued at will
    progress    how much is done, and the time left
    outcomes    episodes, costs and learning curves of a grid as tables
    comparison  runs a grid and returns the result, a `pipeline.comparison.Comparison`; `spa_lab.compare`

An arm is a training method with settings of its own. Each arm, world and seed has a run folder like any
other run; what arms have in common (clone, explorations, estimator, evaluations of the base and the clone) is
done once in a run folder of its own, of which the arms' folders hold hard links.
"""
