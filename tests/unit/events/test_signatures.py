import pytest

from pipeline_state.events.signatures import circleci_signed, github_signed, sign

BODY = '{"ref": "refs/heads/🚀"}'.encode()
SECRET, OLDER = "It's a Secret to Everybody", "the one before"
GOOD = sign(BODY, SECRET)


def test_the_example_in_githubs_documentation() -> None:
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert github_signed(b"Hello, World!", expected, ["It's a Secret to Everybody"])


@pytest.mark.parametrize(
    "body, secret, signature",
    [
        (b"hello world", "secret", "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"),
        (b"lalala", "another-secret", "daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00"),
        (
            b"an-important-request-payload",
            "hunter123",
            "9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa",
        ),
    ],
)
def test_the_examples_in_circlecis_documentation(body: bytes, secret: str, signature: str) -> None:
    assert circleci_signed(body, f"v1={signature}", [secret])


@pytest.mark.parametrize("secrets", [[SECRET], [OLDER, SECRET], [SECRET, OLDER]])
def test_any_valid_secret_will_do(secrets: list[str]) -> None:
    assert github_signed(BODY, f"sha256={GOOD}", secrets)
    assert circleci_signed(BODY, f"v1={GOOD}", secrets)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        GOOD,
        f"sha1={GOOD}",
        f"sha256={GOOD[:-1]}",
        f"sha256={GOOD}0",
        f"sha256={GOOD.upper()}",
        f" sha256={GOOD}",
        f"sha256={GOOD}\n",
        f"sha256={GOOD},sha256={GOOD}",
        f"sha256={sign(BODY, OLDER)}",
        f"sha256={sign(BODY + b' ', SECRET)}",
        "sha256=" + "ä" * 64,
        "sha256=" + "\u0660" * 64,
        "sha256=\ud800",
        f"v1={GOOD}",
    ],
)
def test_githubs_header_must_be_exactly_right(header: str | None) -> None:
    assert not github_signed(BODY, header, [SECRET])


@pytest.mark.parametrize(
    "header",
    [f"v1={GOOD}", f"v1={GOOD},v2=abc", f"v2=abc,v1={GOOD}", f"v2=x, v1={GOOD}", f"v1={'0' * 64},v1={GOOD}"],
)
def test_circlecis_header_may_list_several_versions(header: str) -> None:
    assert circleci_signed(BODY, header, [SECRET])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ",",
        "v1=",
        f"v2={GOOD}",
        f"v1={sign(BODY, OLDER)}",
        f"v1={GOOD.upper()}",
        f"V1={GOOD}",
        "v1=" + "ä" * 64,
    ],
)
def test_circlecis_header_needs_a_right_v1(header: str | None) -> None:
    assert not circleci_signed(BODY, header, [SECRET])


def test_without_secrets_nobody_may_speak() -> None:
    assert not github_signed(BODY, f"sha256={GOOD}", [])
    assert not circleci_signed(BODY, f"v1={GOOD}", [])
