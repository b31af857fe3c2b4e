"""Failed tries to log in, counted by a real Redis; without one, by the process."""

import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client, RequestFactory
from redis import Redis

from qa_site import login_tries
from qa_site.login_tries import MINUTES, LoginTries, network, spoken

FORMS = ("/accounts/login/", "/admin/login/")
PASSWORD = "of-nobody-else-9"
MOST = 10

pytestmark = pytest.mark.django_db


@pytest.fixture
def name() -> str:
    """One that nobody has tried in this Redis yet."""
    return f"ada-{uuid4().hex}"


@pytest.fixture
def user(name: str) -> User:
    return User.objects.create_superuser(name, password=PASSWORD)


@pytest.fixture
def unserved() -> Iterator[str]:
    with closing(socket.socket()) as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}"


def try_in(path, name, password="wrong", *, address="192.0.2.7", forwarded=None):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    sent = {"username": name, "password": password}
    return Client().post(path, sent, REMOTE_ADDR=address, headers=headers)


def statuses(path, name, **options):
    return [try_in(path, name, **options).status_code for _ in range(MOST + 1)]


@pytest.mark.parametrize("path", FORMS)
def test_too_many_wrong_passwords_have_to_wait(path, user):
    assert statuses(path, user.username) == [200] * MOST + [429]
    told = try_in(path, user.username, PASSWORD)  # nor does the right one show by being let in
    assert told.status_code == 429
    assert 1 <= int(told["Retry-After"]) <= 60 * MINUTES
    assert "Too many failed tries to log in with this name. Try again in " in told.content.decode()


def test_both_forms_count_together(user):
    statuses(FORMS[0], user.username)
    assert try_in(FORMS[1], user.username).status_code == 429


def test_nobody_learns_who_there_is(user, name):
    nobody = f"{name}-2"
    assert statuses(FORMS[0], nobody) == statuses(FORMS[0], user.username)
    told = [
        try_in(FORMS[0], who).content.decode().replace(who, "").split("<form")[-1] for who in (nobody, name)
    ]
    assert [page.count("Too many failed tries") for page in told] == [1, 1]


def test_another_way_to_write_the_name_is_no_other_name(user):
    statuses(FORMS[0], user.username.upper())
    assert try_in(FORMS[0], user.username, PASSWORD).status_code == 429


def test_who_comes_from_elsewhere_does_not_wait(user):
    statuses(FORMS[0], user.username)
    assert try_in(FORMS[0], user.username, PASSWORD, address="192.0.2.200").status_code == 429
    assert try_in(FORMS[0], user.username, PASSWORD, address="198.51.100.7").status_code == 302


def test_others_do_not_wait(user, name):
    other = User.objects.create_user(f"{name}-2", password=PASSWORD)
    statuses(FORMS[0], user.username)
    assert try_in(FORMS[0], other.username, PASSWORD).status_code == 302


def test_the_right_password_wipes_the_count(user):
    for _ in range(2):
        for _ in range(MOST - 1):
            assert try_in(FORMS[0], user.username).status_code == 200
        assert try_in(FORMS[0], user.username, PASSWORD).status_code == 302


def test_a_form_without_a_password_is_no_try(user):
    for _ in range(MOST + 1):
        assert try_in(FORMS[0], user.username, "").status_code == 200
    assert try_in(FORMS[0], user.username, PASSWORD).status_code == 302


@pytest.mark.expects_errors
def test_what_nobody_could_look_at_is_no_try(user, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Away"]
    client = Client(raise_request_exception=False)
    for _ in range(MOST + 1):
        client.post(FORMS[0], {"username": user.username, "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    assert try_in(FORMS[0], user.username, PASSWORD).status_code == 302


class Away:
    def authenticate(self, request, username=None, password=None):
        raise OperationalError


def test_behind_a_proxy_each_network_counts_for_itself(user, settings):
    settings.HTTPS_ONLY = True
    statuses(FORMS[0], user.username, forwarded="10.9.9.9, 203.0.113.7")
    assert try_in(FORMS[0], user.username, PASSWORD, forwarded="1.1.1.1, 203.0.113.7").status_code == 429
    assert try_in(FORMS[0], user.username, PASSWORD, forwarded="203.0.113.7, 198.51.100.7").status_code == 302


def test_a_proxy_that_tells_what_its_clients_write_has_an_end(user, settings, name):
    settings.HTTPS_ONLY = True
    tries = LoginTries(settings.REDIS_URL, 2)
    waits = [
        tries.spend(tries.counts(name, asked_from(f"10.0.{number}.1")))
        for number in range(login_tries.A_PROXY * 2)
    ]
    assert not any(waits)
    assert tries.spend(tries.counts(name, asked_from("10.1.0.1"))) > 0


def asked_from(forwarded):
    first = forwarded.partition(",")[0].strip()  # which daphne takes for who connected
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return RequestFactory().get("/", REMOTE_ADDR=first or "192.0.2.7", headers=headers)


def test_without_https_only_nobody_chooses_their_network(user):
    statuses(FORMS[0], user.username, forwarded="203.0.113.7")
    assert try_in(FORMS[0], user.username, PASSWORD, forwarded="198.51.100.7").status_code == 429


def test_tries_at_the_same_moment_are_all_counted(settings, name):
    tries = LoginTries(settings.REDIS_URL, 3)
    counts = tries.counts(name, asked_from(""))
    with ThreadPoolExecutor(12) as pool:
        waits = list(pool.map(lambda _: tries.spend(counts), range(12)))
    assert waits.count(0.0) == 3


def test_a_clock_that_was_set_back_locks_nobody_out(redis_url, name):
    tries, redis = LoginTries(redis_url, 1), Redis.from_url(redis_url)
    counts = tries.counts(name, asked_from(""))
    assert tries.spend(counts) == 0
    (key,) = redis.keys(f"login*{counts[0][1]}*")
    redis.lset(key, 0, str(time.time() + 86_400))
    assert tries.spend(counts) == 0
    assert 0 < tries.spend(counts) <= 60 * MINUTES
    redis.close()


def test_names_are_not_kept(redis_url, name):
    tries, redis = LoginTries(redis_url, 1), Redis.from_url(redis_url)
    tries.spend(tries.counts(name, asked_from("")))
    assert not redis.keys(f"*{name}*")
    redis.close()


def test_without_redis_the_process_counts_and_says_so_once(unserved, name, caplog):
    tries = LoginTries(unserved, 3)
    counts = tries.counts(name, asked_from(""))
    with caplog.at_level(logging.WARNING, logger="qa_site"):
        assert [tries.spend(counts) for _ in range(3)] == [0.0] * 3
        assert 0 < tries.spend(counts) <= 60 * MINUTES
        tries.wipe(counts)
        assert tries.spend(counts) == 0
    assert [record.message for record in caplog.records] == [
        "tries to log in are counted in this process alone"
    ]


def test_no_limit(unserved, name):
    tries = LoginTries(unserved, 0)
    assert [tries.spend(tries.counts(name, asked_from(""))) for _ in range(30)] == [0.0] * 30


@pytest.mark.parametrize("to", ["/accounts/login/", "/accounts/login/?next=/library/"])
def test_a_login_that_leads_to_itself_leads_to_the_start(user, to):
    client = Client()
    client.force_login(user)
    assert client.get(FORMS[0], {"next": to})["Location"] == "/"
    assert client.get(FORMS[0], {"next": "/library/"})["Location"] == "/library/"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_networks(address, told):
    assert network(address) == told


def test_the_wait_is_said_in_words():
    assert [spoken(seconds) for seconds in (0.5, 59.2, 91, 299)] == ["1 s", "60 s", "2 minutes", "5 minutes"]
