from ipaddress import ip_network

import pytest
from psycopg.conninfo import conninfo_to_dict

from qa_site import env, places


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("twelve", lambda: env.integer("X", 1, low=0, high=9)),
        ("10", lambda: env.integer("X", 1, low=0, high=9)),
        ("nan", lambda: env.number("X", 1, low=0, high=9)),
        ("perhaps", lambda: env.flag("X", True)),
        ("lucene", lambda: env.choice("X", "tantivy", ("tantivy",))),
        ("ftp://host", lambda: env.url("X", "", ("http", "https"))),
        ("http://", lambda: env.url("X", "", ("http", "https"))),
        ("http://host:99999", lambda: env.url("X", "", ("http", "https"))),
        ("http://the host", lambda: env.url("X", "", ("http", "https"))),
        ("redis://host:port", lambda: env.url("X", "", ("redis", "unix"))),
        ("Europe/Atlantis", lambda: env.time_zone("X", "UTC")),
        ("../etc", lambda: env.time_zone("X", "UTC")),
        ("https://docs.example", lambda: env.hosts("X", [])),
        ("docs.example:8000", lambda: env.hosts("X", [])),
        ("*.docs.example", lambda: env.hosts("X", [])),
        ("::1", lambda: env.hosts("X", [])),
        ("10.0.0.0/99", lambda: env.networks("X")),
        ("postgresql://host", lambda: env.database("X", "")),
        ("postgresql://host:port/name", lambda: env.database("X", "")),
        ("postgresql://one:5432,two:0/name", lambda: env.database("X", "")),
        ("redis://host:6379/zero", lambda: env.redis("X", "")),
        ("unix:///tmp/redis.sock?db=-1", lambda: env.redis("X", "")),
    ],
)
def test_a_bad_value_is_named_with_its_setting(monkeypatch, value, read):
    monkeypatch.setenv("X", value)
    with pytest.raises(env.BadSetting) as caught:
        read()
    assert str(caught.value).startswith(f"X={value!r} cannot be used: it must be ")


@pytest.mark.parametrize(
    "value",
    [
        "mysql://ada:secret@host/name",
        "postgresql://ada:se/cret@host/name",
        "postgresql://:se@cret@host:port/name",
    ],
)
def test_the_password_of_a_bad_url_is_not_shown(monkeypatch, value):
    monkeypatch.setenv("X", value)
    with pytest.raises(env.BadSetting) as caught:
        env.database("X", "")
    assert "cret" not in str(caught.value)
    assert "***@host" in str(caught.value)


@pytest.mark.parametrize("value", ["ключ-secret", "one\nsecret", "secret\x7f"])
def test_a_key_that_no_header_can_hold_is_not_taken_and_not_shown(monkeypatch, value):
    monkeypatch.setenv("X", value)
    with pytest.raises(env.BadSetting, match=r"X='\*\*\*' cannot be used: it must be of ASCII") as caught:
        env.key("X")
    assert "secret" not in str(caught.value)


def test_a_key_may_end_with_the_end_of_its_file(monkeypatch):
    monkeypatch.setenv("X", "sk-~a b!\n")
    assert env.key("X") == "sk-~a b!"


def test_names_of_hosts_are_taken_as_django_wants_them(monkeypatch):
    monkeypatch.setenv("X", "docs.example, .docs.example,[::1],10.0.0.1, my_machine, *")
    assert env.hosts("X", []) == ["docs.example", ".docs.example", "[::1]", "10.0.0.1", "my_machine", "*"]


def test_the_pages_of_a_domain_are_trusted_with_those_below_it():
    assert env.origins(["docs.example"]) == ["https://docs.example"]
    assert set(env.origins([".docs.example", "*"])) == {"https://docs.example", "https://*.docs.example"}


def test_an_empty_value_means_the_default(monkeypatch):
    monkeypatch.setenv("X", " ")
    assert env.integer("X", 7, low=0, high=9) == 7
    assert env.flag("X", True) is True
    assert env.networks("X") == []
    monkeypatch.setenv("X", " , ")
    assert env.listed("X", ["localhost"]) == ["localhost"]


def test_a_data_folder_that_cannot_be_one_is_named(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(env.BadSetting, match=f"DATA_DIR='{folder}'"):
            places.make(folder)


def test_networks_may_be_single_addresses(monkeypatch):
    monkeypatch.setenv("X", "10.1.2.3/8, ::1")
    assert env.networks("X") == [ip_network("10.0.0.0/8"), ip_network("::1/128")]


def test_a_database_url_is_taken_apart(monkeypatch):
    monkeypatch.setenv("X", "postgresql://ada:p%40ss@db.example:6543/library?sslmode=require")
    read = env.database("X", "")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"]) == (
        "ada",
        "p@ss",
        "db.example",
        "6543",
    )
    assert (read["NAME"], read["OPTIONS"]["sslmode"]) == ("library", "require")


def test_a_database_url_may_name_a_folder_of_sockets(monkeypatch):
    monkeypatch.setenv("X", "postgresql://postgres@/library?host=/tmp/sockets")
    assert env.database("X", "")["HOST"] == "/tmp/sockets"
    monkeypatch.setenv("X", "postgresql://%2Ftmp%2FSockets/library")
    assert env.database("X", "")["HOST"] == "/tmp/Sockets"
    monkeypatch.setenv("X", "postgresql://[::1]:5432/library")
    assert env.database("X", "")["HOST"] == "::1"


def test_a_database_url_may_name_several_servers(monkeypatch):
    monkeypatch.setenv("X", "postgresql://ada:p@One.example:5432,[::1],two.example:6543/library")
    read = env.database("X", "")
    assert (read["HOST"], read["PORT"]) == ("One.example,::1,two.example", "5432,,6543")
    monkeypatch.setenv("X", "postgresql://one,two/library?target_session_attrs=read-write")
    read = env.database("X", "")
    assert (read["HOST"], read["PORT"]) == ("one,two", "")
    assert read["OPTIONS"]["target_session_attrs"] == "read-write"


def test_what_libpq_cannot_read_of_a_database_url_is_said_without_the_password(monkeypatch):
    for url in ("postgresql://ada:secret@one/library?sslmod=require", "postgresql://ada:secret@[::1/library"):
        monkeypatch.setenv("X", url)
        with pytest.raises(env.BadSetting, match=r'Postgres\' client can read \(.*("sslmod"|IPv6)') as caught:
            env.database("X", "")
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("query", ["", "?", "?sslmode=require", "?sslmode=require&"])
def test_no_server_of_the_database_is_waited_for_without_an_end(monkeypatch, query):
    monkeypatch.setenv("X", f"postgresql://one,two/library{query}")
    url = env.postgres("X", "")
    read = conninfo_to_dict(url)
    assert (read["host"], read["dbname"], read.get("sslmode")) == (
        "one,two",
        "library",
        "require" if "ssl" in query else None,
    )
    patience = {option: str(number) for option, number in env.PATIENCE.items()}
    assert patience.items() <= read.items()
    assert patience.items() <= env.database("X", "")["OPTIONS"].items()
    assert env.postgres("Y", url) == url


def test_a_database_url_may_name_its_own_patience(monkeypatch):
    monkeypatch.setenv("X", "postgresql://one/library?connect_timeout=30")
    assert conninfo_to_dict(env.postgres("X", ""))["connect_timeout"] == "30"
    assert env.database("X", "")["OPTIONS"]["connect_timeout"] == "30"


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://host:6379", "redis://host:6379"),
        ("redis://host:6379/3", "redis://host:6379/3"),
        ("redis://:secret@host/1?db=3", "redis://:secret@host/3"),
        ("rediss://host?db=3&ssl_cert_reqs=none", "rediss://host/3?ssl_cert_reqs=none"),
    ],
)
def test_the_queue_is_in_the_database_of_redis_that_was_named(url, broker):
    assert places.celery_broker_url(url) == broker
