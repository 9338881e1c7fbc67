"""Releases that take longer than an invocation: applied, watched, verified or rolled back; never two Helms at once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from functions.helm_installer import app as installer_app
from functions.rollout_observer import app as observer_app
from pipeline_state.events.codec import decode
from pipeline_state.model.pipelines import Verification
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.rollout import Phase, Rollout
from pipeline_state.table import leases, rollouts
from pipeline_state.table.lease import Watched
from tests.contract.function_room import before_each_write
from tests.contract.shop import Shop
from tests.contract.table_room import A, B

NEVER = {"annotations": {"cluster.gatestream.dev/ready": "never"}}
FAILS = {"annotations": {"cluster.gatestream.dev/ready": "fail"}}
HOUR = 3600


@pytest.fixture
def patient(shop: Shop) -> Shop:
    """Its releases may take hours; an invocation has a minute."""
    shop.define(timeout=4 * HOUR)
    return shop


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A chart with a test."""
    shutil.copytree(Path(__file__).parents[1] / "charts/hooked", tmp_path / "charts/hooked")
    monkeypatch.setenv("CHARTS_DIR", str(tmp_path / "charts"))
    installer_app.handler.cache_clear()
    return "charts/hooked"


def begin(shop: Shop, commit: str = A, before: str = "", second: float = 0) -> Promotion:
    """A promotion that has been applied, and nothing more."""
    promotion = shop.promote(commit, before, second)
    shop.install()
    return promotion


def verdict(shop: Shop, promotion: Promotion, *, later: float = 0) -> dict[str, Any]:
    """The gate after one look."""
    assert shop.observe(promotion, later=later) == []
    gate: dict[str, Any] = shop.gate(promotion.commit)
    return gate


def lease(shop: Shop) -> list[str]:
    return [name for name in shop.functions.tables.environment() if name.startswith(("lease", "rollout"))]


def end_of_lease(shop: Shop) -> None:
    """Its time is up."""
    shop.functions.tables.edit_environment("staging", **{"lease_until:web": 1})


def release_of(gate: dict[str, Any]) -> tuple[str, int]:
    return gate["status"], int(gate["releases"]["web"]["revision"])


def test_what_may_take_longer_is_applied_and_watched_and_nobody_waits(patient: Shop) -> None:
    patient.define(timeout=4 * HOUR, values=NEVER)  # whoever waited would see it fail
    promotion = begin(patient)
    gate = patient.gate(A)
    assert (gate["status"], patient.revisions(), patient.delayed()) == ("", 1, 1)
    assert "web: applied as revision 1, becoming ready until " in gate["reason"]
    assert sorted(lease(patient)) == ["lease:web", "lease_generation:web", "lease_until:web", "rollout:web"]
    assert leases.take(promotion, "another", time.time, time.time() + 60) == Watched(
        int(patient.functions.tables.environment()["lease_until:web"])
    )


def test_once_it_is_ready_it_is_deployed_and_the_lease_is_free(patient: Shop) -> None:
    promotion = begin(patient)
    assert release_of(verdict(patient, promotion)) == ("TRUE", 1)
    assert lease(patient) == []
    assert patient.functions.tables.environment()["verified:web"] == 1
    assert patient.functions.tables.decision(A) == "Promoted"


def test_until_then_it_is_looked_at_again_and_nothing_is_written(patient: Shop) -> None:
    patient.define(timeout=4 * HOUR, values=NEVER)
    promotion = begin(patient)
    before = patient.functions.tables.environment()
    for look in (1, 2):
        assert verdict(patient, promotion)["status"] == ""
        assert patient.delayed() == 1 + look
    assert patient.functions.tables.environment() == before


def test_what_is_never_ready_goes_back_when_its_time_is_up_and_says_what_was_missing(patient: Shop) -> None:
    verdict(patient, begin(patient))
    patient.define(timeout=4 * HOUR, values=NEVER)
    promotion = begin(patient, B, A, 100)
    gate = verdict(patient, promotion, later=4 * HOUR + 1)
    assert gate["status"] == "FALSE"
    assert "not ready within 4h: Deployment/" in gate["reason"]
    assert gate["reason"].endswith("rolled back to revision 1")
    assert patient.statuses() == ["superseded", "superseded", "deployed"]
    assert lease(patient) == []
    assert patient.functions.tables.environment()["verified:web"] == 1


def test_what_is_broken_goes_back_at_once(patient: Shop) -> None:
    patient.define(timeout=4 * HOUR, values=FAILS)
    promotion = begin(patient)
    gate = verdict(patient, promotion)
    assert (gate["status"], patient.revisions()) == ("FALSE", 0)
    assert gate["reason"].endswith("uninstalled, there being nothing to go back to")


def test_a_revision_that_was_never_ready_is_not_gone_back_to_though_helm_calls_it_deployed(patient: Shop) -> None:
    verdict(patient, begin(patient))
    patient.define(timeout=4 * HOUR, values=NEVER)
    lost = begin(patient, B, A, 100)
    end_of_lease(patient)  # whoever should have looked never did
    patient.define(timeout=30, values=FAILS)
    patient.promote("c" * 40, B, 200)
    patient.install()
    assert "; rolled back to revision 1" in patient.gate("c" * 40)["reason"]
    assert patient.observe(lost) == []
    assert patient.statuses()[-1] == "deployed"


def test_looking_twice_at_once_ends_it_once_and_tells_it_the_same(patient: Shop) -> None:
    promotion = begin(patient)
    first = verdict(patient, promotion)
    assert verdict(patient, promotion) == first
    assert patient.revisions() == 1


def test_a_newer_promotion_waits_for_the_verdict_and_goes_then(patient: Shop) -> None:
    promotion = begin(patient)
    begin(patient, B, A, 100)
    assert patient.revisions() == 1
    assert "parked:web" in patient.functions.tables.environment()
    verdict(patient, promotion)
    patient.install()
    assert patient.revisions() == 2
    assert "parked:web" not in patient.functions.tables.environment()


@pytest.mark.parametrize("when", ["rollout:web", "outcome:web"], ids=["handing over", "the verdict"])
def test_who_dies_just_before_writing_it_down_is_followed_by_another(patient: Shop, when: str) -> None:
    class Died(BaseException):
        pass

    def die(_: str, request: Any) -> None:
        if when in str(request.get("ExpressionAttributeNames", {}).values()):
            died.append(when)
            raise Died

    died: list[str] = []
    installer_app.handler()  # which connects to the tables: the hook below stays in place
    observer_app.handler()
    promotion = patient.promote(A)
    message = patient.receive_and_acknowledge()
    if when == "rollout:web":
        with before_each_write(die), pytest.raises(Died):
            patient.invoke([message])
        end_of_lease(patient)
    assert patient.invoke([message]) == {"batchItemFailures": []}
    if when == "outcome:web":
        with before_each_write(die), pytest.raises(Died):
            patient.observe(promotion)
        assert patient.observe(promotion) == ["m"], "the dead one's lease still holds"
        end_of_lease(patient)
    assert died
    assert release_of(verdict(patient, promotion)) == ("TRUE", 1)
    assert patient.revisions() == 1


def test_the_message_that_comes_again_after_handing_over_leads_to_another_look(patient: Shop) -> None:
    patient.promote(A)
    message = patient.receive_and_acknowledge()
    patient.invoke([message])
    assert patient.delayed() == 1
    patient.invoke([message])
    assert (patient.delayed(), patient.revisions()) == (2, 1)


def test_a_rollout_that_nobody_looked_at_any_more_is_taken_up_when_its_lease_ends(patient: Shop) -> None:
    patient.promote(A)
    message = patient.receive_and_acknowledge()
    patient.invoke([message])
    end_of_lease(patient)
    patient.invoke([message])
    assert (patient.delayed(), patient.revisions()) == (2, 1)


@pytest.fixture
def away(patient: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Nobody answers where the cluster was, for as long as it is entered."""
    elsewhere = tmp_path / "kubeconfig"
    port = patient.kubeconfig.read_text().partition("127.0.0.1:")[2].partition('"')[0].split()[0]
    elsewhere.write_text(patient.kubeconfig.read_text().replace(f"127.0.0.1:{port}", "127.0.0.1:9"))

    @contextmanager
    def entered() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setenv("LOCAL_KUBECONFIG", str(elsewhere))
            observer_app.handler.cache_clear()
            yield
        observer_app.handler.cache_clear()

    return entered


def test_while_the_cluster_is_away_it_is_looked_at_again_and_only_what_was_seen_is_a_verdict(
    patient: Shop, away: Callable[[], AbstractContextManager[None]]
) -> None:
    promotion = begin(patient)
    with away():
        assert verdict(patient, promotion)["status"] == ""
        assert patient.delayed() == 2
        assert patient.observe(promotion, later=5 * HOUR) == ["m"], "nobody has seen that it is not ready"
        assert "lease:web" in lease(patient)
    assert release_of(verdict(patient, promotion, later=5 * HOUR)) == ("TRUE", 1)
    assert patient.revisions() == 1


def test_a_cluster_that_stays_away_is_given_up_and_the_letter_says_that_nothing_was_rolled_back(
    patient: Shop, away: Callable[[], AbstractContextManager[None]]
) -> None:
    promotion = begin(patient)
    with away():
        assert patient.observe(promotion, later=5 * HOUR, received=3) == []
    gate = patient.gate(A)
    assert gate["status"] == "FALSE"
    assert "given up after 3 attempts" in gate["reason"]
    assert "connection refused" in gate["reason"]
    assert (lease(patient), patient.revisions()) == ([], 1)
    ((body, attributes),) = patient.functions.bodies(patient.functions.dead_installs)
    assert decode(body).get_id() == promotion.id
    assert attributes["reason"].startswith("not rolled back, given up after 3 attempts: ")


def test_a_way_back_that_stays_barred_is_given_up_and_the_letter_says_so(
    patient: Shop, away: Callable[[], AbstractContextManager[None]]
) -> None:
    with site(500) as (url, _):
        patient.define(verify=Verification(url=url, within=600))
        promotion = begin(patient)
        with away():
            assert patient.observe(promotion, later=601) == ["m"]
            assert patient.observe(promotion, later=601, received=3) == []
    reason = patient.gate(A)["reason"]
    assert f"not verified within 10m: {url} answered 500" in reason
    assert "; not rolled back, given up after 3 attempts: " in reason
    ((_, attributes),) = patient.functions.bodies(patient.functions.dead_installs)
    assert attributes["reason"].startswith("not rolled back, given up after 3 attempts: ")


def test_while_it_is_watched_it_is_not_overdue(patient: Shop) -> None:
    begin(patient)
    patient.functions.tables.edit(A, _claim_staging=_long_ago(patient))
    patient.functions.promote()
    assert patient.mapping.drain() == 0
    end_of_lease(patient)
    patient.functions.tables.edit(A, somebody="TRUE")
    patient.functions.promote()
    assert patient.mapping.drain() == 1


def _long_ago(shop: Shop) -> Any:
    claim = shop.functions.tables.item(A)["_claim_staging"]
    return {**claim, "told_at": "2020-01-01T00:00:00Z"}


# tests and verification


@contextmanager
def site(*statuses: int) -> Iterator[tuple[str, list[str]]]:
    """A site that answers so, one request after the other and the last for ever; its URL and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(statuses[min(len(asked), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipeline_state.deploy.verification._SECONDS", 60.0)  # a slow machine is no silent site
            yield f"http://127.0.0.1:{server.server_port}/health", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_release_counts_once_its_url_answers(shop: Shop) -> None:
    with site(503, 200) as (url, asked):
        shop.define(verify=Verification(url=url, within=600))
        promotion = begin(shop)
        assert "web: applied as revision 1, to be verified until " in shop.gate(A)["reason"]
        assert verdict(shop, promotion)["status"] == ""
        assert release_of(verdict(shop, promotion)) == ("TRUE", 1)
        assert asked == ["/health", "/health"]


def test_one_that_was_ready_and_never_verified_is_not_gone_back_to(shop: Shop) -> None:
    begin(shop)
    with site(500) as (url, _):
        shop.define(verify=Verification(url=url, within=600))
        begin(shop, B, A, 100)
    end_of_lease(shop)  # whoever should have looked never did
    shop.define(values=FAILS)
    shop.promote("c" * 40, B, 200)
    shop.install()
    assert "; rolled back to revision 1" in shop.gate("c" * 40)["reason"]


def test_one_whose_url_never_answers_goes_back(shop: Shop) -> None:
    with site(500) as (url, _):
        shop.define(verify=Verification(url=url, within=600))
        promotion = begin(shop)
        gate = verdict(shop, promotion, later=601)
    assert gate["status"] == "FALSE"
    assert f"not verified within 10m: {url} answered 500" in gate["reason"]
    assert shop.revisions() == 0


@pytest.mark.parametrize(
    "value,status,said",
    [("TRUE", "TRUE", ""), ("FALSE", "FALSE", "the gate smoke failed"), ("", "", "to be verified until")],
)
def test_a_release_counts_once_the_gate_opens_that_verifies_it(shop: Shop, value: str, status: str, said: str) -> None:
    shop.define(verify=Verification(gate="smoke", within=600))
    promotion = begin(shop)
    shop.functions.tables.edit(A, smoke=value)
    gate = verdict(shop, promotion)
    assert gate["status"] == status
    assert said in gate.get("reason", "")


def test_what_is_ready_late_is_verified_after_that(patient: Shop) -> None:
    with site(503, 200) as (url, _):
        patient.define(timeout=4 * HOUR, verify=Verification(url=url, within=600))
        promotion = begin(patient)
        assert verdict(patient, promotion)["status"] == ""
        found = rollouts.find(promotion, time.time())
        assert found is not None
        assert found.rollout.phase is Phase.VERIFY
        assert release_of(verdict(patient, promotion)) == ("TRUE", 1)


def test_a_chart_whose_test_passes_is_deployed(shop: Shop, hooked: str) -> None:
    shop.define(chart=hooked, test=True, values={"migration": "yes"})
    promotion = begin(shop)
    assert shop.gate(A)["status"] == ""
    assert release_of(verdict(shop, promotion)) == ("TRUE", 1)


def test_a_rollout_of_an_older_version_is_read(patient: Shop) -> None:
    promotion = begin(patient)
    found = rollouts.find(promotion, time.time())
    assert found is not None
    assert Rollout.from_dict({**found.rollout.to_dict(), "added": 1}) == found.rollout
    assert replace(found, is_idle=False) != found
