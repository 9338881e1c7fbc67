"""Values that stand for secrets: read once, put in their places, and shown nowhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy import Workspace
from pipeline_state.deploy.references import forms, readable, resolve
from pipeline_state.deploy.words import scrub
from pipeline_state.faults import PermanentFault, TemporaryFault


class Store:
    """Secrets and parameters; read: what was read, in order."""

    def __init__(self, secrets: Mapping[str, str], parameters: Mapping[str, str] | None = None) -> None:
        self.secrets, self.parameters = secrets, parameters or {}
        self.read: list[str] = []
        self.workspace = Workspace(Path(), Path(), fetch_secret=self.secret, fetch_parameter=self.parameter)

    def secret(self, name: str) -> str:
        self.read.append(name)
        if name not in self.secrets:
            raise PermanentFault(f"the secret {name!r} is not there")
        return self.secrets[name]

    def parameter(self, name: str) -> str:
        self.read.append(name)
        return self.parameters[name]


STORE = {"db": json.dumps({"user": "shop", "password": "hush-hush", "port": 5432, "tls": True}), "token": "t0ken-text"}


def test_references_become_texts_wherever_they_stand() -> None:
    store = Store(STORE, {"/shop/key": "the-key"})
    values = {
        "replicas": 3,
        "token": {"from_secret": "token"},
        "db": {"password": {"from_secret": "db", "key": "password"}, "host": "db.example.com"},
        "keys": [{"name": "a", "value": {"from_parameter": "/shop/key"}}],
    }
    resolved, secrets = resolve(values, store.workspace)
    assert resolved == {
        "replicas": 3,
        "token": "t0ken-text",
        "db": {"password": "hush-hush", "host": "db.example.com"},
        "keys": [{"name": "a", "value": "the-key"}],
    }
    assert {"t0ken-text", "hush-hush", "the-key"} <= set(secrets)
    assert values["token"] == {"from_secret": "token"}


def test_values_without_references_stay_as_they_are_and_ask_nobody() -> None:
    values = {"a": [1, {"b": None}], "key": "x", "c": {"key": "y"}, "d": ""}
    assert resolve(values, Workspace(Path(), Path())) == (values, ())


def test_each_is_read_once() -> None:
    store = Store(STORE, {"token": "a parameter of the same name"})
    password, user = ({"from_secret": "db", "key": key} for key in ("password", "user"))
    resolve({"a": password, "b": [password, user], "c": {"from_parameter": "token"}}, store.workspace)
    assert store.read == ["db", "token"]


def test_what_stands_under_a_key_is_a_single_text() -> None:
    values = {key: {"from_secret": "db", "key": key} for key in ("port", "tls")}
    assert resolve(values, Store(STORE).workspace)[0] == {"port": "5432", "tls": "true"}


@pytest.mark.parametrize("text, key, said", [
    ("hush-hush", "user", "is not a JSON object, so that it has no key 'user'"),
    ('["hush-hush"]', "user", "is not a JSON object"),
    ('{"password": "hush-hush"}', "user", "has no key 'user'; add it to the secret, or mend key"),
    ('{"user": {"password": "hush-hush"}}', "user", "has no text under 'user'"),
    ('{"user": ["hush-hush"]}', "user", "has no text under 'user'"),
    ('{"user": null, "password": "hush-hush"}', "user", "has no text under 'user'"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_value_and_secret_and_without_the_text(text: str, key: str, said: str) -> None:
    values = {"db": {"hosts": [{"user": {"from_secret": "shop/db", "key": key}}]}}
    with pytest.raises(PermanentFault) as caught:
        resolve(values, Store({"shop/db": text}).workspace)
    assert caught.value.reason.startswith("value 'db.hosts[0].user': secret 'shop/db' ")
    assert said in caught.value.reason
    assert "hush-hush" not in caught.value.reason
    assert caught.value.__cause__ is caught.value.__context__ is None  # the parser's error has the text in it


@pytest.mark.parametrize("reference", [
    {"from_secret": ""}, {"from_secret": 5}, {"from_secret": None}, {"from_secret": "db", "key": ""},
    {"from_secret": "db", "key": 1}, {"from_secret": "db", "keys": "user"}, {"from_parameter": "/a", "key": "user"},
    {"from_secret": "db", "from_parameter": "/a"}, {"from_parameter": ["/a"]},
])  # fmt: skip
def test_what_is_half_a_reference_is_refused(reference: dict[str, Any]) -> None:
    store = Store(STORE)
    with pytest.raises(PermanentFault, match=r"^value 'a\.b': a reference is \{from_secret: name\}"):
        resolve({"a": {"b": reference}}, store.workspace)
    assert store.read == []


def test_the_values_as_a_whole_are_no_reference() -> None:
    with pytest.raises(PermanentFault, match="stands for one value, not for all"):
        resolve({"from_secret": "token"}, Store(STORE).workspace)


def test_a_reference_that_leads_nowhere_any_more_leaves_the_others_blotted_out() -> None:
    values = {
        "gone": {"from_secret": "gone"},
        "db": {"renamed": {"from_secret": "db", "key": "pass"}, "password": {"from_secret": "db", "key": "password"}},
        "keys": [{"from_secret": "db", "kye": "user"}, {"value": {"from_parameter": "/shop/key"}}, 7],
    }
    secrets = readable(values, Store(STORE, {"/shop/key": "the-key"}).workspace)
    assert set(secrets) >= {"hush-hush", "the-key"}
    assert scrub("hush-hush, the-key, shop", secrets) == "***, ***, shop"


def test_what_aws_cannot_tell_just_now_is_not_taken_for_gone() -> None:
    def busy(_: str) -> str:
        raise TemporaryFault("AWS is busy", 5)

    workspace = Workspace(Path(), Path(), fetch_secret=busy)
    with pytest.raises(TemporaryFault, match="AWS is busy"):
        readable({"gone": {"from_secret": "gone"}}, workspace)


def test_what_cannot_be_read_is_said_with_the_value() -> None:
    def throttled(_: str) -> str:
        raise TemporaryFault("AWS throttles", 5)

    with pytest.raises(PermanentFault, match=r"^value 'a': the secret 'gone' is not there$"):
        resolve({"a": {"from_secret": "gone"}}, Store(STORE).workspace)
    with pytest.raises(TemporaryFault, match=r"^value 'a': AWS throttles$") as caught:
        resolve({"a": {"from_parameter": "/b"}}, Workspace(Path(), Path(), fetch_parameter=throttled))
    assert caught.value.delay_seconds == 5


SECRET_TEXTS = st.text(min_size=1, max_size=12).map(lambda text: f"s3cret{text}")
CONTENTS = (
    SECRET_TEXTS
    | st.dictionaries(st.sampled_from(["user", "password"]), SECRET_TEXTS | st.lists(SECRET_TEXTS)).map(json.dumps)
    | SECRET_TEXTS.map(lambda text: json.dumps([text]))
    | SECRET_TEXTS.map(lambda text: '{"user": "' + text)
)
REFERENCES = st.fixed_dictionaries(
    {"from_secret": st.sampled_from(["one", "two", "gone"])}, optional={"key": st.sampled_from(["user", "x", ""])}
) | st.fixed_dictionaries({"from_parameter": st.sampled_from(["one", "two"])}, optional={"key": st.just("user")})
VALUES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(REFERENCES | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from("abc"), inner, max_size=3), max_leaves=6),
)  # fmt: skip


def told(error: BaseException | None) -> str:
    """All that an error tells, and those that it came from."""
    chain: list[str] = []
    while error is not None:
        chain += [str(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return " ".join(chain)


@given(VALUES, CONTENTS, CONTENTS)
def test_no_text_of_a_secret_is_ever_in_a_reason(values: dict[str, Any], one: str, two: str) -> None:
    store = Store({"one": one, "two": two}, {"one": two, "two": one})
    secrets: tuple[str, ...] = ()
    try:
        resolved, secrets = resolve(values, store.workspace)
        said = json.dumps(resolved)
    except PermanentFault as fault:
        said = told(fault)
    assert "s3cret" not in scrub(said, secrets)


@given(st.text(min_size=6, max_size=30))
def test_a_text_is_blotted_out_as_it_is_in_json_and_in_base64(text: str) -> None:
    for shape in (text, json.dumps(text), json.dumps(text, ensure_ascii=False)):
        assert text not in scrub(shape, forms([text])) or not text.strip("*")
    assert scrub(base64.b64encode(text.encode()).decode(), forms([text])) == "***"


def test_of_a_text_of_several_lines_each_is_blotted_out() -> None:
    key = "-----BEGIN KEY-----\n  c2VjcmV0bGluZQ==\nab\n-----END KEY-----\n"
    shown = scrub("bad line 2: c2VjcmV0bGluZQ==, and ab", forms([key]))
    assert shown == "bad line 2: ***, and ab"


def test_what_is_too_short_is_left_alone() -> None:
    assert forms(["", "a", "12345"]) == ("MTIzNDU=",)
