"""Which caller made an edit, by records as CloudTrail writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from pipeline_state.cli.audit import GROUP, Call, Edit, caller, read_call

TEMPLATE = yaml_parse((Path(__file__).parents[3] / "infra/audit/template.yaml").read_text())["Resources"]

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SHA = "a" * 40
EDIT = Edit("myOrg/myApp", SHA, ("approval_from_legal",), NOON)
ANN, BOB = "arn:aws:iam::111122223333:user/ann", "arn:aws:sts::111122223333:assumed-role/admins/bob"
KEY = {"repo": "myOrg/myApp", "commit": SHA}


def record(parameters: object, by: str = ANN, **more: Any) -> str:
    """As in AWS's examples: keys as they are, of all other values nothing."""
    told = {
        "eventVersion": "1.07",
        "userIdentity": {"type": "AssumedRole", "arn": by, "accountId": "111122223333"},
        "eventTime": "2026-07-01T12:00:00Z",
        "eventSource": "dynamodb.amazonaws.com",
        "eventName": "UpdateItem",
        "requestParameters": parameters,
        "readOnly": False,
        "eventCategory": "Data",
    }
    return json.dumps(told | more)


UPDATE = {
    "tableName": "Gates",
    "key": KEY,
    "updateExpression": "SET #g = :v",
    "expressionAttributeNames": {"#g": "approval_from_legal"},
}
PUT = {"tableName": "Gates", "key": KEY, "item": ["repo", "commit", "branch", "approval_from_legal"]}
TRANSACTION = {"requestItems": [{"operation": "Update", **UPDATE}]}
PART = {"tableName": "Gates", "key": KEY, "updateExpression": "SET approval_from_legal.#s=:v"}
STATEMENT = {"statement": f"UPDATE Gates SET approval_from_legal = *** WHERE repo = 'myOrg/myApp' AND commit = '{SHA}'"}  # noqa: S608 - nobody runs it


def read(text: str) -> Call:
    call = read_call(text, ())
    assert call is not None
    return call


@pytest.mark.parametrize(
    "parameters", [UPDATE, PUT, TRANSACTION, PART, STATEMENT], ids=["update", "put", "transaction", "a part", "sql"]
)
def test_whoever_wrote_the_column_at_that_time_made_the_edit(parameters: object) -> None:
    assert caller(EDIT, [read(record(parameters))]) == ANN


@pytest.mark.parametrize("edit", [
    Edit("myOrg/another", SHA, EDIT.gates, NOON),
    Edit(EDIT.repo, "b" * 40, EDIT.gates, NOON),
    Edit(EDIT.repo, SHA, ("scan",), NOON),
    Edit("Org/myApp", SHA, EDIT.gates, NOON),
    Edit(EDIT.repo, SHA, ("legal",), NOON),
    Edit(EDIT.repo, SHA, ("approval",), NOON),
    Edit(EDIT.repo, SHA, ("approval_from_legal", "scan"), NOON),
    Edit(EDIT.repo, SHA, EDIT.gates, NOON + timedelta(seconds=3)),
    Edit(EDIT.repo, SHA, EDIT.gates, NOON - timedelta(seconds=3)),
], ids=[
    "repository", "commit", "gate", "end of a repository", "end of a gate", "begin of a gate", "two gates",
    "later", "earlier",
])  # fmt: skip
def test_another_edit_is_nobodys(edit: Edit) -> None:
    assert caller(edit, [read(record(UPDATE))]) == ""


@pytest.mark.parametrize("seconds", [-2, 0, 2])
def test_times_are_known_to_the_second(seconds: int) -> None:
    assert caller(Edit(EDIT.repo, SHA, EDIT.gates, NOON + timedelta(seconds=seconds)), [read(record(UPDATE))]) == ANN


def test_of_several_callers_it_is_none() -> None:
    assert caller(EDIT, [read(record(UPDATE)), read(record(UPDATE, BOB))]) == ""


def test_of_several_calls_of_one_it_is_that_one() -> None:
    assert caller(EDIT, [read(record(UPDATE)), read(record(PUT))]) == ANN


def test_an_aws_service_is_a_caller_too() -> None:
    text = record(UPDATE, userIdentity={"type": "AWSService", "invokedBy": "backup.amazonaws.com"})
    assert caller(EDIT, [read(text)]) == "backup.amazonaws.com"


@pytest.mark.parametrize("text", [
    record(UPDATE, errorCode="ConditionalCheckFailedException"),
    record(UPDATE, "arn:aws:sts::1:assumed-role/shop-PromoterRole/shop-Promoter-1A"),
    record(UPDATE, userIdentity={}),
    record(UPDATE, userIdentity=None),
    record(UPDATE, eventTime="yesterday"),
    "{}", "[]", "null", "no JSON",
])  # fmt: skip
def test_what_failed_or_was_written_by_our_functions_or_is_no_call_counts_for_nothing(text: str) -> None:
    assert read_call(text, {"shop-Promoter-1A"}) is None


def test_the_trail_writes_where_the_command_looks() -> None:
    group = TEMPLATE["Calls"]["Properties"]["LogGroupName"]["Fn::Sub"]
    assert group == GROUP.format(stack="${GatestreamStack}")
    assert TEMPLATE["Trail"]["Properties"]["CloudWatchLogsLogGroupArn"] == {"Fn::GetAtt": ["Calls", "Arn"]}


def test_the_trail_keeps_the_writes_to_one_table_and_nothing_else() -> None:
    (selector,) = TEMPLATE["Trail"]["Properties"]["AdvancedEventSelectors"]
    fields = {each["Field"]: each["Equals"] for each in selector["FieldSelectors"]}
    assert fields["eventCategory"] == ["Data"]
    assert fields["resources.type"] == ["AWS::DynamoDB::Table"]
    assert fields["readOnly"] == ["false"]
    assert [arn["Fn::Sub"].rpartition("/")[2] for arn in fields["resources.ARN"]] == ["${GatesTable}"]
