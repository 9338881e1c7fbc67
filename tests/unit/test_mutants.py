"""What `make mutants` changes and reads; how many changes are noticed, no test says."""

from pathlib import Path

import pytest

from tests.mutants import __main__ as mutants

ROOT = Path(__file__).parents[2]
DIFF = """--- pipeline_state/model/gates.py
+++ pipeline_state/model/gates.py
@@ -1,2 +1,2 @@
 def is_gate():
-    return True
+    return False
"""
CODE = '''class Shop:
    @property
    def name(self):
        """Its name."""
        return "shop"

    @staticmethod
    def other():
        return 1

    @property
    def last(self):
        return 2
'''


def test_properties_work_the_same_when_they_are_made_after_their_functions() -> None:
    made: dict[str, type] = {}
    exec(mutants.without_properties(CODE), made)  # noqa: S102 - what is executed stands above
    shop = made["Shop"]()
    assert (shop.name, shop.other(), shop.last) == ("shop", 1, 2)
    assert "@property" not in mutants.without_properties(CODE)


def test_of_a_diff_the_lines_that_differ_are_shown() -> None:
    assert [line for line in DIFF.splitlines() if mutants.is_change(line)] == ["-    return True", "+    return False"]


@pytest.mark.parametrize("part", [mutants.CORE, mutants.TRANSITIONS])
def test_files_and_their_tests_are_where_they_are_said_to_be(part: mutants.Part) -> None:
    assert [name for name in (*part.files, *part.tests) if not (ROOT / name).exists()] == []
