"""Who has which role, and which addresses are whose."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.web.access.addresses import is_loopback, is_within, who_may_be_one
from dashboards.web.access.people import Role
from dashboards.web.access.roles import Roles

ROLES = Roles(viewer=("*",), responder=("oncall", "user:kari"), admin=("platform",))


@pytest.mark.parametrize(
    ("names", "groups", "role"),
    [
        (["ola"], [], Role.VIEWER),
        (["ola"], ["oncall"], Role.RESPONDER),
        (["kari"], [], Role.RESPONDER),
        (["kari"], ["platform", "oncall"], Role.ADMIN),
        (["platform"], [], Role.VIEWER),
        (["ola"], ["user:kari"], Role.VIEWER),
        (["ola"], ["Platform"], Role.VIEWER),
    ],
)
def test_the_highest_role_holds(names, groups, role):
    """A name is no group, and a group is no name, whatever it is called."""
    assert ROLES.role(names, groups) is role


def test_who_is_named_nowhere_has_no_role():
    """Nor through a group that calls itself everybody."""
    assert Roles(responder=("oncall",)).role(["ola"], ["*", "sales"]) is None
    assert Roles(admin=("*",)).role(["ola"], []) is Role.ADMIN


@given(st.lists(st.text()), st.lists(st.text()))
def test_groups_that_make_no_difference_can_be_left_out(names, groups):
    """A session need not carry a hundred groups."""
    assert ROLES.role(names, groups) is ROLES.role(names, ROLES.known(groups))


def test_an_address_in_other_clothes_is_the_same():
    """IPv4 within IPv6; what is no address lies in no network."""
    home = [ip_network("10.0.0.0/8")]
    assert is_within("::ffff:10.1.2.3", home)
    assert not is_within("11.0.0.1", home)
    assert not is_within("10.0.0.1.evil.example", home)
    assert not is_within("", home)
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("localhost.evil.example")


def test_a_home_counts_as_one():
    """Who has one IPv6 address has all of its network."""
    assert who_may_be_one("2001:db8::1") == who_may_be_one("2001:db8::2:3")
    assert who_may_be_one("10.0.0.1") != who_may_be_one("10.0.0.2")
