import os
import socket

import pytest

from qa_site import places, up
from qa_site.commandline import take_data_option
from qa_site.env import BadSetting
from qa_site.errors import UpError


def test_on_the_loopback_the_hosts_stay_as_they_are(settings):
    assert up.hosts("127.0.0.1") == settings.ALLOWED_HOSTS


def test_bound_to_all_addresses_the_machine_is_called_by_its_names(settings):
    found = up.hosts("0.0.0.0")
    assert found[: len(settings.ALLOWED_HOSTS)] == settings.ALLOWED_HOSTS
    assert socket.gethostname() in found
    assert "0.0.0.0" not in found


def test_hosts_that_were_set_are_not_added_to(settings, monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", "docs.example")
    settings.ALLOWED_HOSTS = ["docs.example"]
    assert up.hosts("0.0.0.0") == ["docs.example"]


def test_a_folder_is_for_one_up_at_a_time(tmp_path):
    told = f"already runs with the data in .*process {os.getpid()}"
    with up.only_one(tmp_path), pytest.raises(UpError, match=told), up.only_one(tmp_path):
        pytest.fail("two at a time")
    with up.only_one(tmp_path):
        pass


def test_the_data_folder_is_made_where_the_secret_key_is_kept_elsewhere(tmp_path):
    with up.only_one(tmp_path / "new" / "data"):
        assert (tmp_path / "new" / "data" / "run").is_dir()


def test_a_lock_that_a_killed_up_left_does_not_matter(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "up.lock").write_text("4711")
    with up.only_one(tmp_path):
        assert (tmp_path / "run" / "up.lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("option", [["--data", "/srv/a b"], ["--data=/srv/a b"]])
def test_the_data_folder_is_known_before_the_settings(monkeypatch, option):
    monkeypatch.setenv("DATA_DIR", "elsewhere")
    assert take_data_option(["manage.py", "ask", *option, "Why?"]) == ["manage.py", "ask", "Why?"]
    assert os.environ["DATA_DIR"] == "/srv/a b"


@pytest.mark.parametrize("option", [["--data", ""], ["--data="], ["--data", " "]])
def test_an_empty_data_folder_is_not_the_usual_one(monkeypatch, option):
    monkeypatch.setenv("DATA_DIR", "elsewhere")
    with pytest.raises(BadSetting, match="--data"):
        take_data_option(["manage.py", "ask", *option, "Why?"])
    assert os.environ["DATA_DIR"] == "elsewhere"


def test_what_documents_say_is_for_their_owner_alone(tmp_path):
    (tmp_path / "files").mkdir(mode=0o755)
    for name in ("files", "lexical"):
        up.make_private(tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


def test_metrics_are_shared_where_a_full_disk_does_not_reach(tmp_path, monkeypatch):
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(places, "MEMORY", tmp_path / "memory")
    with places.metrics_dir(tmp_path) as folder:
        assert folder.parent == tmp_path / "memory"
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    monkeypatch.setattr(places, "MEMORY", tmp_path / "nowhere")
    with places.metrics_dir(tmp_path) as folder:
        assert folder == tmp_path / "run" / "metrics"


def test_metrics_of_a_killed_start_are_dropped(tmp_path):
    with places.metrics_dir(tmp_path) as folder:
        (folder / "counter_4711.db").touch()
        with places.metrics_dir(tmp_path) as again:
            assert list(again.iterdir()) == []
