"""The names of a feed: in the log, at destinations, and on a command line."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from platform_pipelines.model import Feed

FEEDS = st.builds(Feed, st.just("orders"), st.none() | st.text(st.characters(exclude_categories=["Cs"])))


@given(FEEDS)
@example(Feed("orders", "all"))
@example(Feed("orders", "p-a/b"))
@example(Feed("orders", ""))
@example(Feed("orders", "%2E."))
def test_a_feed_is_found_by_its_folder_and_by_its_id(feed: Feed) -> None:
    assert Feed.of_folder("orders", feed.folder) == feed
    assert Feed.of_id(feed.id) == feed


@given(FEEDS)
@example(Feed("orders", "eu|2024-01-01"))
@example(Feed("orders", "$(rm x) it's"))
def test_a_shell_takes_the_option_as_the_key_it_is(feed: Feed) -> None:
    expected = [] if feed.partition is None else ["--partition", feed.partition]
    assert shlex.split(feed.option) == expected


@pytest.mark.parametrize("key", ["2024-01-01", "eu", "2024-01-01-05:00"])
def test_plain_keys_are_shown_as_they_are(key: str) -> None:
    assert Feed("orders", key).option == f" --partition {key}"
