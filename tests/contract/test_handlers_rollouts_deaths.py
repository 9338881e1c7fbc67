"""Whoever dies while a rollout gets its verdict is followed by another, who goes on where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functions.rollout_observer import app as observer_app
from pipeline_state.model.pipelines import Verification
from tests.contract.function_room import before_each_write
from tests.contract.shop import Shop
from tests.contract.table_room import A, B
from tests.contract.test_handlers_rollouts import HOUR, begin, end_of_lease, lease, release_of, site, verdict


class DiedError(BaseException):
    """The process ends here."""


@contextmanager
def dying_before(*attributes: str) -> Iterator[None]:
    """At the first write that touches all of them."""

    def die(_: str, request: Any) -> None:
        if {*attributes} <= {*request.get("ExpressionAttributeNames", {}).values()}:
            raise DiedError

    observer_app.handler()  # which connects to the tables: the hook below stays in place
    with before_each_write(die), pytest.raises(DiedError):
        yield


def test_what_was_rolled_back_stays_failed_although_its_url_answers_since(shop: Shop) -> None:
    begin(shop)
    assert shop.gate(A)["status"] == "TRUE"
    with site(500, 200) as (url, asked):
        shop.define(verify=Verification(url=url, within=600))
        promotion = begin(shop, B, A, 100)
        with dying_before("outcome:web"):
            shop.observe(promotion, later=601)
        assert shop.statuses() == ["superseded", "superseded", "deployed"]
        end_of_lease(shop)
        gate = verdict(shop, promotion, later=602)
        assert len(asked) == 1
    assert gate["status"] == "FALSE"
    assert f"not verified within 10m: {url} answered 500" in gate["reason"]
    assert gate["reason"].endswith("rolled back to revision 1 already")
    assert shop.statuses() == ["superseded", "superseded", "deployed"]
    assert lease(shop) == []


def test_what_is_applied_and_was_not_said_is_said_when_the_message_comes_again(shop: Shop) -> None:
    shop.define(timeout=4 * HOUR)
    promotion = shop.promote(A)
    message = shop.receive_and_acknowledge()
    shop.invoke([message])
    shop.functions.bodies(shop.functions.events)  # as if it had died before it could say anything
    assert shop.gate(A) in (None, "")
    shop.invoke([message])
    shop.functions.settle()
    assert "web: applied as revision 1, becoming ready until " in shop.gate(A)["reason"]
    assert release_of(verdict(shop, promotion)) == ("TRUE", 1)
