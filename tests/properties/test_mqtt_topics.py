"""Topic filters (MQTT 4.7): the tree of subscriptions and the covering of filters against the plain matching."""

from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.mqtt.tree import SubscriptionTree
from parvis.mqttwire.packets import Subscription
from parvis.mqttwire.topics import covers, matches

levels = st.sampled_from(["a", "b", "", "$a"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)


@st.composite
def filters(draw: st.DrawFn) -> str:
    drawn = draw(st.lists(levels | st.just("+"), min_size=0, max_size=4))
    if draw(st.booleans()) or not "/".join(drawn):
        drawn.append("#")
    return "/".join(drawn)


@given(st.lists(filters(), max_size=12), st.lists(st.integers(0, 11)), topics)
def test_the_tree_finds_whom_plain_matching_finds(wanted: list[str], gone: list[int], topic: str) -> None:
    tree: SubscriptionTree[int] = SubscriptionTree()
    for number, topic_filter in enumerate(wanted):
        tree.add("town", number % 3, Subscription(topic_filter, 1))
    held = {(number % 3, topic_filter) for number, topic_filter in enumerate(wanted)}
    for number in gone:
        if number < len(wanted):
            tree.remove("town", number % 3, wanted[number])
            held.discard((number % 3, wanted[number]))
    found = {(who, one.topic_filter) for who, several in tree.find("town", topic).items() for one in several}
    assert found == {(who, topic_filter) for who, topic_filter in held if matches(topic_filter, topic)}
    assert tree.find("village", topic) == {}
    assert tree.list_filters() == {("town", topic_filter) for _, topic_filter in held}
    assert bool(tree) is bool(held)


@given(filters(), filters(), st.lists(topics, max_size=30))
def test_what_a_covered_filter_matches_the_covering_one_matches(wider: str, narrower: str, several: list[str]) -> None:
    if covers(wider, narrower):
        assert all(matches(wider, topic) for topic in several if matches(narrower, topic))


@given(filters())
def test_a_filter_covers_itself_and_a_plain_topic_that_it_matches(topic_filter: str) -> None:
    assert covers(topic_filter, topic_filter)


@given(filters(), topics)
def test_covering_a_topic_is_matching_it(topic_filter: str, topic: str) -> None:
    assert covers(topic_filter, topic) is matches(topic_filter, topic)


def test_what_is_empty_matches_nothing_but_every_level() -> None:
    assert [one for one in ("#", "+", "a", "$a") if matches(one, "")] == ["#", "+"]
    assert not covers("a", "")
    assert not matches("", "a")
