"""The machine over tables in memory, for as long as one likes: `make fuzz`.

Examples come in chunks, each with a seed of its own: the same seed is the same examples.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.memory_room import MemoryRoom
from tests.property.promotion_machine import PromotionMachine

CHUNK = 50
STEPS = 40


class InMemory(PromotionMachine):
    @classmethod
    def new_store(cls) -> MemoryRoom:
        return MemoryRoom()


def chunk(number: int) -> int:
    """Plays the examples of one seed; the seed. Raises what does not hold, with a way to see it again."""

    @seed(number)
    class Seeded(InMemory):
        pass

    played = settings(
        max_examples=CHUNK,
        stateful_step_count=STEPS,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Seeded, settings=played)
    except BaseException as error:
        error.add_note(f"To see it again: make fuzz ARGS='--seed {number} --examples {CHUNK}'")
        raise
    return number


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=50_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first chunk (default: the time)")
    parser.add_argument("--processes", type=int, default=2, help="at work at once (default: %(default)s)")
    given = parser.parse_args()
    begun, played, chunks = time.monotonic(), 0, max(1, given.examples // CHUNK)
    with ProcessPoolExecutor(given.processes) as processes:
        work = [processes.submit(chunk, given.seed + number) for number in range(chunks)]
        for done in as_completed(work):
            if error := done.exception():
                processes.shutdown(wait=False, cancel_futures=True)
                raise error
            played += CHUNK
            each = (time.monotonic() - begun) / played
            left = each * (chunks * CHUNK - played) / 60
            sys.stdout.write(f"{played:,} examples hold (seed {done.result()}), about {left:.0f} minutes left\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
