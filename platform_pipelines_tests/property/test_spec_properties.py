"""What holds for every text, partition and secret."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from platform_pipelines.errors import SpecError
from platform_pipelines.spec import TimePartitions, secrets
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import plain

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
)
keys = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=10)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)
grains = st.sampled_from(["hour", "day", "week", "month"])
zones = st.sampled_from(
    ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana"]
)
moments = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(trees)
def test_json_is_read_as_it_is(tree: object) -> None:
    assert plain(parse(json.dumps({"k": tree}, ensure_ascii=False).encode(), "f")) == {"k": tree}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_value_or_an_error_with_the_file(data: bytes) -> None:
    try:
        parse(data, "f.yaml")
    except SpecError as error:
        assert str(error).startswith("f.yaml")  # noqa: PT017 - both ends are fine


@given(grains, zones, moments)
def test_every_instant_lies_in_exactly_the_last_partition(by: str, timezone: str, now: dt.datetime) -> None:
    start = (now - dt.timedelta(days=70)).date().isoformat()
    partitions = TimePartitions.model_validate({"by": by, "field": "f", "start": start, "timezone": timezone})
    found = partitions.keys(now)
    last = partitions.slice(found[-1])
    assert last.start.timestamp() <= now.timestamp() < last.end.timestamp()
    assert len(set(found)) == len(found)
    slices = [partitions.slice(key) for key in found[-30:]]
    assert all(a.end.timestamp() == b.start.timestamp() for a, b in pairwise(slices))
    assert partitions.recent(now) == found[-2:]


@given(st.text(min_size=4, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_a_registered_secret_never_shows(secret: str, before: str, after: str) -> None:
    with patch.multiple(secrets, _forms=set(), _pattern=None):  # others must not meet these secrets
        secrets.register(secret)
        assert secret not in secrets.mask(before + secret + after).replace("***", "\0")
