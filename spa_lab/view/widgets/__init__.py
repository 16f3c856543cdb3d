"""Widgets: live views of trajectories, credits and runs that share one `Selection`.

Every widget shows the HTML that `view` draws in Python, and a copy of it stays in the notebook where there is
no kernel. The browser's part (`host.js`) only reports clicks, keys and sliders. Knows nothing of models: what
must be computed live is handed in as a callable.
"""
