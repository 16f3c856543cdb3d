"""Fuzz of the importers: mutated logs must import or be refused with an error, never crash, hang or blow up.

    python -m benchmarks.fuzz_importers --files 100000 --seed 0 --cpu-minutes 15

Starts from the logs of the tests. Every mutated file is read as a user would, and what comes in is encoded as
for a run folder. Files that fail are kept in `--keep`; the exit code is then 1.
"""

import argparse
import json
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from spa_lab.importers import ImportOptions, read_log
from spa_lab.store import StoreError
from spa_lab.store.records import encode_credit, encode_labels, encode_meta, encode_tokens, encode_trajectory

LOGS = Path(__file__).resolve().parent.parent / "tests" / "importers" / "logs"
SECONDS = 10
"""CPU time that one file may take."""
MEMORY = 2 * 2**30
"""Bytes of address space that the process may add."""
MOST_CHARACTERS = 100_000
"""Length of what a repetition makes, so that nested ones stay files and do not fill the disk."""
HOSTILE = (
    "<script>alert(1)</script>", "\ud800", "\x00", "\x1b[31m", "\u202e", "\u2028", "$x$ %{y}", "Action:",
    "Thought: \nAction: " * 50, "```" * 40, "<think>" * 200, "<|im_start|>" * 100, "../../etc", "a" * 20000,
    "<action>" + "<" * 3000, "Action 1: " + " " * 5000, "9" * 400, "NaN", "-Infinity", "",
)  # fmt: skip
ODD = (None, True, False, 0, -1, 1e308, 10**30, float("nan"), float("inf"), "", [], {}, [[]], [{}], {"a": {}})


def main() -> int:
    """Run the fuzz; what came of the files is printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu-minutes", type=float, default=15.0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGVTALRM, _too_slow)
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: stopped.append(number))  # counts are still printed
    seeds = [(path.name, path.read_bytes()) for path in sorted(LOGS.iterdir())]
    counts: Counter[str] = Counter()
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.files):
            if time.process_time() > 60 * options.cpu_minutes or stopped:
                break
            rng = random.Random(f"{options.seed}/{number}")
            name, content = rng.choice(seeds)
            mutation = rng.choice(MUTATIONS)
            path = Path(folder, f"log{Path(name).suffix}")
            path.write_bytes(mutation(content, rng))
            start = time.process_time()
            came_of_it = _read(path)
            slowest = max(slowest, (time.process_time() - start, f"{name}, {number}"))
            counts[came_of_it] += 1
            if came_of_it not in ("imported", "refused"):
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{number}-{name}").write_bytes(path.read_bytes())
                (options.keep / f"{number}.txt").write_text(f"{came_of_it}\n{_traceback(path)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{sum(counts.values())} files, seed {options.seed}: {dict(counts)}")
    print(f"CPU {time.process_time():.0f} s, slowest file {slowest[0]:.2f} s ({slowest[1]}), peak {peak} MB")
    return 0 if set(counts) <= {"imported", "refused"} else 1


def _read(path: Path) -> str:
    """What came of a file: "imported", "refused", or the name of an exception that a user must not see."""
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        imported = read_log(path, ImportOptions())
        for trajectory in imported.trajectories:
            encode_trajectory(trajectory)
        encode_meta(imported.ledger.record())
        encode_meta(imported.meta)
        for encode, given in (
            (encode_credit, imported.credits),
            (encode_labels, imported.labels),
            (encode_tokens, imported.tokens),
        ):
            json.dumps([encode(one) for one in given], allow_nan=False)  # type: ignore[operator]
    except (ValueError, StoreError) as error:
        return "refused" if len(str(error)) < 20_000 and type(error) is not UnicodeEncodeError else "long"
    except Exception as error:  # noqa: BLE001  # the very thing that is looked for
        return type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "imported"


def _traceback(path: Path) -> str:
    try:
        read_log(path)
    except Exception:  # noqa: BLE001  # whatever it was
        return traceback.format_exc()
    return "the second time it was imported"


def _too_slow(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _bytes_changed(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _lines_mixed(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines[: rng.randrange(1, len(lines) + 1)] + rng.choices(lines, k=rng.randrange(3)))


def _values_changed(content: bytes, rng: random.Random) -> bytes:
    """Types swapped, fields lost and renamed, hostile texts, huge lists, deep nesting."""
    text = content.decode()
    try:
        documents, joint = [json.loads(text)], ""
    except ValueError:
        if not text.startswith("{"):  # a table or a transcript
            return _bytes_changed(content, rng)
        documents, joint = [json.loads(line) for line in text.splitlines() if line.strip()], "\n"
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(documents))
        documents[at] = _changed(documents[at], rng, depth=0)
    return joint.join(map(json.dumps, documents)).encode("utf-8", "surrogatepass")


def _changed(value: Any, rng: random.Random, *, depth: int) -> Any:
    """The value with one change somewhere inside."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(sorted(value))
        if rng.random() < 0.15:
            return {key: inner for key, inner in value.items() if key != name}
        return value | {name: _changed(value[name], rng, depth=depth + 1)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], _changed(value[at], rng, depth=depth + 1), *value[at + 1 :]]
    kind = rng.randrange(5)
    if kind == 0:
        return rng.choice(HOSTILE)
    if kind == 1:
        deep: Any = value
        for _ in range(rng.choice((3, 60, 250))):
            deep = rng.choice(([deep], {"a": deep}))
        return deep
    if kind == 2:
        most = MOST_CHARACTERS // (len(json.dumps(value)) + 1) + 1
        return [value] * min(rng.choice((2, 50, 2000)), most)
    return rng.choice(ODD)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _truncated, _bytes_changed, _lines_mixed, _values_changed, _values_changed, _values_changed,
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
