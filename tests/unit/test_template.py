"""template.yaml says what the design promises: who may do what, what is kept, what retries, what alarms."""

import ast
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from pipeline_state import metrics
from pipeline_state.cli.dlq.dead_letters import QUEUES as DEAD_LETTERS
from pipeline_state.settings import Settings
from pipeline_state.table.models import BySequence
from tests.contract.table_room import INDEXES

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties by logical id."""
    return {name: it.get("Properties", {}) for name, it in TEMPLATE["Resources"].items() if it["Type"] == kind}


FUNCTIONS = resources("AWS::Serverless::Function")
QUEUES = resources("AWS::SQS::Queue")
TABLES = resources("AWS::DynamoDB::Table")
TOPICS = resources("AWS::SNS::Topic")
SUBSCRIPTIONS = resources("AWS::SNS::Subscription")
ROLES = resources("AWS::IAM::Role")
ALARMS = resources("AWS::CloudWatch::Alarm")
FROM_QUEUES = [
    (name, event["Properties"])
    for name, function in FUNCTIONS.items()
    for event in function.get("Events", {}).values()
    if event["Type"] == "SQS"
]

ABOUT_NO_RESOURCE = ("ecr:GetAuthorizationToken",)
"""Actions that IAM knows without resources: https://docs.aws.amazon.com/service-authorization/latest/reference/."""

RUN_HELM = ("HelmInstaller", "RolloutObserver")


def target(value: Any) -> str:
    """The logical id that a !Ref, !GetAtt or !Sub "${Name.Attribute}…" refers to."""
    if "Ref" in value:
        return str(value["Ref"])
    if "Fn::Sub" in value:
        return str(re.findall(r"\$\{(\w+)", value["Fn::Sub"])[0])
    return str(value["Fn::GetAtt"][0])


def flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: str) -> list[dict[str, Any]]:
    """What a role allows, with all conditions taken as met."""
    found = [s for policy in ROLES[role]["Policies"] for s in policy["PolicyDocument"]["Statement"]]
    return [s["Fn::If"][1] if "Fn::If" in s else s for s in found]


def role_of(name: str) -> str:
    """The logical id of a function's role."""
    return target(FUNCTIONS[name]["Role"])


def allowed(role: str) -> set[tuple[str, str]]:
    """Pairs of action and logical id; "*" for what is about no resource."""
    return {
        (action, "*" if resource == "*" else target(resource))
        for statement in statements(role)
        for action in flat(statement["Action"])
        for resource in flat(statement["Resource"])
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_role_and_a_log_of_its_own(name: str) -> None:
    function = FUNCTIONS[name]
    sharers = RUN_HELM if name in RUN_HELM else (name,)
    assert role_of(name) == f"{sharers[0]}Role"
    assert target(function["LoggingConfig"]["LogGroup"]) == f"{name}Logs"
    logs = [pair for pair in allowed(role_of(name)) if pair[0].startswith("logs:")]
    assert {group for _, group in logs} == {f"{sharer}Logs" for sharer in sharers}
    assert TEMPLATE["Resources"][f"{name}Logs"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_do_what_all_may_and_nothing_else_that_aws_manages(name: str) -> None:
    shared = {"Fn::If": ["HasSharedAccess", {"Ref": "SharedAccess"}, {"Ref": "AWS::NoValue"}]}
    network = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"}
    in_vpc = {"Fn::If": ["HasVpc", network, {"Ref": "AWS::NoValue"}]}
    assert ROLES[role_of(name)]["ManagedPolicyArns"] == [shared, *([in_vpc] if name in RUN_HELM else [])]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_those_that_run_helm_and_no_others_can_be_put_where_the_clusters_are(name: str) -> None:
    subnets, groups = {"Ref": "VpcSubnetIds"}, {"Ref": "VpcSecurityGroupIds"}
    network = {"Fn::If": ["HasVpc", {"SubnetIds": subnets, "SecurityGroupIds": groups}, {"Ref": "AWS::NoValue"}]}
    assert FUNCTIONS[name].get("VpcConfig") == (network if name in RUN_HELM else None)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_reaches_beyond_the_resources_it_names(role: str) -> None:
    assert "ManagedPolicyArns" not in ROLES[role] or role.removesuffix("Role") in FUNCTIONS
    for statement in statements(role):
        assert all("*" not in action for action in flat(statement["Action"]))
        assert "*" not in flat(statement["Resource"]) or statement["Action"] in ABOUT_NO_RESOURCE


@pytest.mark.parametrize("role, topics", [
    ("GitHubWebhookRole", {"GitHubEvents"}),
    ("CircleCIWebhookRole", {"CircleCIEvents"}),
    ("EventForwarderRole", {"GitHubEvents", "CircleCIEvents"}),
    ("GateRecorderRole", set()),
    ("PromoterRole", {"PromotionEvents"}),
    ("SweeperRole", {"PromotionEvents"}),
    ("HelmInstallerRole", {"DeploymentEvents", "PromotionEvents"}),
])  # fmt: skip
def test_functions_publish_to_their_own_topics_only(role: str, topics: set[str]) -> None:
    assert {resource for action, resource in allowed(role) if action == "sns:Publish"} == topics


@pytest.mark.parametrize("role", ["GitHubWebhookRole", "CircleCIWebhookRole", "EventForwarderRole"])
def test_what_faces_the_internet_touches_no_table(role: str) -> None:
    assert not [action for action, _ in allowed(role) if action.startswith("dynamodb:")]


def test_only_the_recorder_and_who_promotes_write_records() -> None:
    writers = {role for role in ROLES if ("dynamodb:UpdateItem", "Gates") in allowed(role)}
    assert writers == {"GateRecorderRole", "PromoterRole", "SweeperRole"}


def test_nobody_deletes_records_or_the_journal_and_only_the_sweeper_strikes_off_what_waits() -> None:
    deleters = {(role, table) for role in ROLES for action, table in allowed(role) if action == "dynamodb:DeleteItem"}
    assert deleters == {("SweeperRole", "Environments")}


@pytest.mark.parametrize("role", ["PromoterRole", "SweeperRole"])
def test_who_tells_what_a_commit_waited_for_may_read_what_that_depends_on(role: str) -> None:
    needed = {("Query", "Journal"), ("Query", "Environments"), ("BatchGetItem", "Pipelines")}
    assert {(f"dynamodb:{action}", table) for action, table in needed} <= allowed(role)


def test_the_sweeper_is_woken_by_a_schedule_that_may_wake_nothing_else() -> None:
    (schedule,) = resources("AWS::Scheduler::Schedule").values()
    assert target(schedule["Target"]["Arn"]) == "Sweeper"
    assert allowed(target(schedule["Target"]["RoleArn"])) == {("lambda:InvokeFunction", "Sweeper")}
    assert schedule["ScheduleExpression"] == {"Ref": "SweepSchedule"}
    assert TEMPLATE["Parameters"]["SweepSchedule"]["Default"] == "rate(1 minute)"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_setting_is_one_that_the_code_reads(name: str) -> None:
    variables = {
        *TEMPLATE["Globals"]["Function"]["Environment"]["Variables"],
        *FUNCTIONS[name]["Environment"]["Variables"],
    }
    assert {variable.lower() for variable in variables} <= {field.name for field in fields(Settings)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_is_in_the_code_it_comes_from(name: str) -> None:
    module, handler = FUNCTIONS[name]["Handler"].split(".")
    tree = ast.parse((ROOT / FUNCTIONS[name]["CodeUri"] / f"{module}.py").read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assigned = {ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)}
    assert handler in defined | assigned


@pytest.mark.parametrize("name, event", FROM_QUEUES, ids=[name for name, _ in FROM_QUEUES])
def test_a_message_stays_hidden_until_its_function_must_be_done(name: str, event: dict[str, Any]) -> None:
    timeout = FUNCTIONS[name]["Timeout"]
    needed = timeout + 60 if name in RUN_HELM else 6 * timeout
    assert QUEUES[target(event["Queue"])]["VisibilityTimeout"] >= needed
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("name, event", FROM_QUEUES, ids=[name for name, _ in FROM_QUEUES])
def test_what_a_function_gives_up_goes_to_a_queue_of_the_same_kind_that_it_can_also_write_to(
    name: str, event: dict[str, Any]
) -> None:
    queue = QUEUES[target(event["Queue"])]
    dead_letters = target(queue["RedrivePolicy"]["deadLetterTargetArn"])
    assert QUEUES[dead_letters].get("FifoQueue", False) == queue.get("FifoQueue", False)
    assert target(FUNCTIONS[name]["Environment"]["Variables"]["DEAD_LETTER_QUEUE_URL"]) == dead_letters
    assert ("sqs:SendMessage", dead_letters) in allowed(role_of(name))


@pytest.mark.parametrize("name, event", FROM_QUEUES, ids=[name for name, _ in FROM_QUEUES])
def test_a_function_knows_which_attempt_is_its_last(name: str, event: dict[str, Any]) -> None:
    attempts = FUNCTIONS[name]["Environment"]["Variables"]["RECEIVE_ATTEMPTS"]
    assert attempts == str(QUEUES[target(event["Queue"])]["RedrivePolicy"]["maxReceiveCount"])


@pytest.mark.parametrize("name, setting, queue", [
    ("GateRecorder", "GATE_EVENTS_QUEUE_URL", "GateEvents"),
    ("HelmInstaller", "INSTALLS_QUEUE_URL", "Installs"),
    ("RolloutObserver", "ROLLOUTS_QUEUE_URL", "Rollouts"),
])  # fmt: skip
def test_who_backs_off_may_hide_the_messages_of_its_queue(name: str, setting: str, queue: str) -> None:
    assert target(FUNCTIONS[name]["Environment"]["Variables"][setting]) == queue
    assert ("sqs:ChangeMessageVisibility", queue) in allowed(role_of(name))


@pytest.mark.parametrize("name", RUN_HELM)
def test_who_runs_helm_gives_up_by_itself_before_its_queue_does(name: str) -> None:
    attempts = int(FUNCTIONS[name]["Environment"]["Variables"]["INSTALL_ATTEMPTS"])
    (event,) = (event for owner, event in FROM_QUEUES if owner == name)
    assert attempts < QUEUES[target(event["Queue"])]["RedrivePolicy"]["maxReceiveCount"]
    assert event["BatchSize"] == 1


def test_installs_come_one_by_one_and_rollouts_can_be_delayed() -> None:
    assert [QUEUES[name].get("FifoQueue", False) for name in ("Installs", "Rollouts")] == [True, False]


def test_one_access_entry_lets_in_all_that_run_helm() -> None:
    assert {role_of(name) for name in RUN_HELM} == {"HelmInstallerRole"}
    for name in RUN_HELM:
        variables = FUNCTIONS[name]["Environment"]["Variables"]
        assert target(variables["ROLLOUTS_QUEUE_URL"]) == "Rollouts"


@pytest.mark.parametrize("mapping, table", [("Changes", "Gates"), ("Openings", "Environments")])
def test_a_stream_keeps_what_it_gives_up_and_never_retries_forever(mapping: str, table: str) -> None:
    event = FUNCTIONS["Promoter"]["Events"][mapping]["Properties"]
    assert target(event["Stream"]) == table
    assert TABLES[table]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert event["StartingPosition"] == "TRIM_HORIZON"
    assert 0 < event["MaximumRetryAttempts"] < 1000
    assert 0 < event["MaximumRecordAgeInSeconds"] < 86400
    assert event["BisectBatchOnFunctionError"] is True
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["DestinationConfig"]["OnFailure"]["Type"] == "S3"  # SQS and SNS get the metadata only
    assert ("s3:PutObject", "PromoterFailures") in allowed("PromoterRole")


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
def test_every_subscription_delivers_raw_and_keeps_what_it_cannot_deliver(name: str) -> None:
    subscription = SUBSCRIPTIONS[name]
    undelivered = target(subscription["RedrivePolicy"]["deadLetterTargetArn"])
    assert subscription["RawMessageDelivery"] is True
    assert [other for other in SUBSCRIPTIONS.values() if other["RedrivePolicy"] == subscription["RedrivePolicy"]] == [
        subscription
    ]
    for queue in (target(subscription["Endpoint"]), undelivered):
        (statement,) = TEMPLATE["Resources"][f"{queue}Policy"]["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert target(subscription["TopicArn"]) in map(
            target, flat(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
        )


def test_the_recorder_gets_the_results_that_can_open_gates_and_the_pushes() -> None:
    assert SUBSCRIPTIONS["GateEventsFromGitHubEvents"]["FilterPolicy"] == {
        "ce-type": [
            "com.github.push",
            "com.github.check_run.completed",
            "com.github.check_suite.completed",
            "com.github.workflow_run.completed",
            {"prefix": "com.github.status."},
        ]
    }


@pytest.mark.parametrize("name, keys", [
    ("Gates", ["repo", "commit"]),
    ("Environments", ["pipeline", "environment"]),
    ("Journal", ["record", "entry"]),
    ("Pipelines", ["repo"]),
])  # fmt: skip
def test_tables_are_backed_up_encrypted_protected_and_paid_by_use(name: str, keys: list[str]) -> None:
    table = TABLES[name]
    assert [key["AttributeName"] for key in table["KeySchema"]] == keys
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "_expires_at", "Enabled": True}
    assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert table["SSESpecification"]["Fn::If"][1]["KMSMasterKeyId"] == {"Ref": "KmsKeyArn"}


def test_commits_are_listed_by_an_index_with_no_more_than_lists_show_and_no_function_reads_it() -> None:
    (index,) = TABLES["Gates"]["GlobalSecondaryIndexes"]
    assert [index] == INDEXES["gates"]
    assert index["Projection"]["NonKeyAttributes"] == BySequence.Meta.projection.non_key_attributes
    assert index["IndexName"] == BySequence.Meta.index_name
    assert "/index/" not in json.dumps(TEMPLATE, default=str)


@pytest.mark.parametrize("name", [*QUEUES, *(topic for topic in TOPICS if topic != "AlarmTopic")])
def test_queues_and_topics_take_the_given_key(name: str) -> None:
    assert (QUEUES | TOPICS)[name]["KmsMasterKeyId"]["Fn::If"][:2] == ["HasKmsKey", {"Ref": "KmsKeyArn"}]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_a_policy_for_named_principals(topic: str) -> None:
    (statement,) = TEMPLATE["Resources"][f"{topic}Policy"]["Properties"]["PolicyDocument"]["Statement"]
    assert target(statement["Resource"]) == topic
    assert "*" not in str(statement["Principal"])


@pytest.mark.parametrize("queue", [name for name in QUEUES if re.search("DeadLetters|Undelivered|Rejected", name)])
def test_every_queue_for_a_person_to_look_at_has_an_alarm(queue: str) -> None:
    alarm = ALARMS[f"{queue}Alarm"]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert target(alarm["Dimensions"][0]["Value"]) == queue


@pytest.mark.parametrize("queue", [target(event["Queue"]) for _, event in FROM_QUEUES])
def test_every_queue_that_is_worked_off_has_an_alarm_on_its_age(queue: str) -> None:
    alarm = ALARMS[f"{queue}AgeAlarm"]
    assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
    assert target(alarm["Dimensions"][0]["Value"]) == queue


def test_a_bug_that_costs_one_message_is_counted_from_the_logs() -> None:
    filters = [one for name, one in resources("AWS::Logs::MetricFilter").items() if name.endswith("Bugs")]
    assert all(one["FilterPattern"] == '"unexpected"' for one in filters)
    watched = {one["LogGroupName"]["Ref"] for one in filters}
    assert watched == {f"{name}Logs" for name in ("EventForwarder", "GateRecorder", "Promoter", "Sweeper", *RUN_HELM)}
    alarm = ALARMS["BugsAlarm"]
    counted = {"MetricName": alarm["MetricName"], "MetricNamespace": alarm["Namespace"], "MetricValue": "1"}
    assert [one["MetricTransformations"] for one in filters] == [[counted]] * len(filters)


def test_what_the_sweeper_cannot_mend_raises_an_alarm() -> None:
    found = resources("AWS::Logs::MetricFilter")["SweeperFindings"]
    assert found["LogGroupName"] == {"Ref": "SweeperLogs"}
    assert found["FilterPattern"] == '?"stuck" ?"missed deliveries"'  # as handlers.promotion and .redelivery say it
    (metric,) = found["MetricTransformations"]
    alarm = ALARMS["SweeperFindingsAlarm"]
    assert (alarm["MetricName"], alarm["Namespace"]) == (metric["MetricName"], metric["MetricNamespace"])


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_alarms(name: str, metric: str) -> None:
    alarm = ALARMS[f"{name}{metric}Alarm"]
    assert (alarm["MetricName"], target(alarm["Dimensions"][0]["Value"])) == (metric, name)


def test_a_webhook_that_is_not_taken_raises_an_alarm() -> None:
    alarm = ALARMS["WebhookApiErrorsAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/ApiGateway", "5XXError")
    named = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    api = TEMPLATE["Resources"]["WebhookApi"]["Properties"]
    assert named == {"ApiName": {"Ref": "AWS::StackName"}, "Stage": api["StageName"]}  # SAM names an API like its stack
    assert "Name" not in api


def test_functions_count_under_the_namespace_that_alarms_and_dashboard_look_at() -> None:
    namespace = {"Fn::Sub": "Gatestream/${AWS::StackName}"}
    assert TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["METRICS_NAMESPACE"] == namespace
    assert {alarm["Namespace"]["Fn::Sub"] for alarm in ALARMS.values() if isinstance(alarm["Namespace"], dict)} == {
        namespace["Fn::Sub"]
    }


def test_embedded_metrics_are_logged_as_text_so_that_cloudwatch_finds_them() -> None:
    assert all("LogFormat" not in function["LoggingConfig"] for function in FUNCTIONS.values())


@pytest.mark.parametrize("name, metric, statistic", [
    ("PromotionLagAlarm", metrics.PROMOTION_LAG, "Maximum"),
    ("DeploymentsFailedAlarm", metrics.DEPLOYMENTS_FAILED, "Sum"),
])  # fmt: skip
def test_what_the_functions_count_raises_alarms(name: str, metric: metrics.Metric, statistic: str) -> None:
    alarm = ALARMS[name]
    assert (alarm["MetricName"], alarm["Statistic"]) == (metric.name, statistic)
    assert "Dimensions" not in alarm  # as metrics.write gives none


def drawn() -> list[list[str]]:
    """Every row of the dashboard's widgets, written out: ".", says its format, repeats what is above."""
    body = json.loads(TEMPLATE["Resources"]["MetricsDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    rows = []
    for widget in (each for each in body["widgets"] if each["type"] == "metric"):
        above: list[str] = []
        for row in widget["properties"]["metrics"]:
            names = [each for each in row if isinstance(each, str)]
            above = [above[at] if name == "." else name for at, name in enumerate(names)]
            rows.append(above)
    return rows


def test_the_dashboard_draws_everything_that_is_counted_and_nothing_else() -> None:
    ours = {row[1] for row in drawn() if row[0] == "Gatestream/${AWS::StackName}"}
    filters = {one["MetricTransformations"][0]["MetricName"] for one in resources("AWS::Logs::MetricFilter").values()}
    assert ours == {metric.name for metric in metrics.ALL} | filters


def test_the_dashboard_draws_every_function_and_every_queue_that_somebody_waits_for() -> None:
    queues = {row[1]: set[str]() for row in drawn() if row[0] == "AWS/SQS"}
    for row in drawn():
        if row[0] == "AWS/SQS":
            queues[row[1]] |= set(re.findall(r"\$\{(\w+)\.QueueName\}", row[3]))
    worked_off = {target(event["Queue"]) for _, event in FROM_QUEUES}
    assert queues == {
        "ApproximateNumberOfMessagesVisible": set(DEAD_LETTERS),
        "ApproximateAgeOfOldestMessage": worked_off,
    }
    assert {row[3] for row in drawn() if row[0] == "AWS/Lambda"} == {f"${{{name}}}" for name in FUNCTIONS}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_heard(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == [{"Ref": "AlarmTopic"}]


@pytest.mark.parametrize("name, path", [("GitHubWebhook", "/github"), ("CircleCIWebhook", "/circleci")])
def test_webhooks_are_posted_byte_for_byte_to_throttled_routes(name: str, path: str) -> None:
    api = TEMPLATE["Resources"]["WebhookApi"]["Properties"]
    (event,) = FUNCTIONS[name]["Events"].values()
    assert event["Properties"] == {"RestApiId": {"Ref": "WebhookApi"}, "Method": "post", "Path": path}
    assert api["BinaryMediaTypes"] == ["*/*"]
    assert api["MethodSettings"][0]["ThrottlingRateLimit"] > 0
    assert api["OpenApiVersion"] == "2.0"  # else SAM adds an unthrottled stage: API reference, AWS::Serverless::Api


@pytest.mark.parametrize("name", resources("AWS::SecretsManager::Secret"))
def test_no_deployment_can_overwrite_the_secrets(name: str) -> None:
    assert not {"SecretString", "GenerateSecretString"} & set(TEMPLATE["Resources"][name]["Properties"])


@pytest.mark.parametrize("name", ["SharedLayer", "HelmLayer"])
def test_layers_have_a_target_in_the_makefile_of_their_folder(name: str) -> None:
    layer = TEMPLATE["Resources"][name]
    makefile = (ROOT / layer["Properties"]["ContentUri"] / "Makefile").read_text(encoding="utf-8")
    assert layer["Metadata"] == {"BuildMethod": "makefile", "BuildInSource": True}
    assert f"\nbuild-{name}:" in makefile
