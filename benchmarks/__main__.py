"""`python -m benchmarks`: all timings."""

from benchmarks.bench import main

if __name__ == "__main__":
    main()
