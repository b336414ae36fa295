"""Count what the checker says of the corpus: `python tests/corpus/counts.py [--seeds 50] [--list]`.

With --list, each case that is not as it should be is printed with what was said.
"""

import argparse
import sys
import time
from collections import Counter

from corpus import CORPUS, PLANTED, checked, gradients_of, judged_rows

DTYPES = "float64", "float32"


def right_layers(seeds: range, say) -> Counter:
    counts = Counter()
    for name in CORPUS:
        for seed in seeds:
            for dtype in DTYPES:
                outcome = checked(name, None, seed, dtype)
                verdict = "false alarm" if outcome.kind == "wrong" else outcome.kind
                if verdict == "ok" and judged_rows(name, seed, dtype) < gradients_of(name):
                    verdict = "not all compared"
                counts[verdict] += 1
                if verdict != "ok":
                    say(verdict, name, "", seed, dtype, outcome)
    return counts


def planted_mistakes(seeds: range, say) -> Counter:
    counts = Counter()
    for name, mistake in PLANTED:
        for seed in seeds:
            for dtype in DTYPES:
                outcome = checked(name, mistake, seed, dtype)
                verdict = verdict_on(outcome, mistake)
                counts[verdict] += 1
                if verdict not in ("named", "found, no name is asked for"):
                    say(verdict, name, mistake.name, seed, dtype, outcome)
    return counts


def verdict_on(outcome, mistake) -> str:
    """Whether a mistake is found, and how it is named in what is said of it."""
    if outcome.kind != "wrong":
        return "missed" if outcome.kind == "ok" else outcome.kind
    if outcome.false_names(mistake):
        return "false name"
    if not mistake.words:
        return "found, no name is asked for"
    return "named" if outcome.names(mistake) else "found, not named"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    seen = set()

    def say(verdict, name, mistake, seed, dtype, outcome):
        if options.list and (verdict, name, mistake) not in seen:
            seen.add((verdict, name, mistake))
            said = " | ".join(outcome.said) or outcome.text
            print(
                f"{verdict:18} {name} / {mistake} (seed {seed}, {dtype}): {said[:700]}", flush=True
            )

    for what, count in (("right", right_layers), ("planted", planted_mistakes)):
        start = time.perf_counter()
        counts = count(seeds, say)
        print(f"{what}: {sum(counts.values())} checks in {time.perf_counter() - start:.0f} s")
        for verdict, number in counts.most_common():
            print(f"  {number:6}  {verdict}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
