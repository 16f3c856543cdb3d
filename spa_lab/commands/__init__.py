"""Commands of `spa-lab`, one a file, those about logs in `logs`.

`configure` adds the options, `run` does the work and returns the exit code. Imported by the command line
before it needs torch or NumPy; what a command needs is imported inside `run`.
"""

CHECK_FAILED = 1
"""Exit code of a command that did its work and found something wrong."""
