"""Random companies at work, held against a naive model after each step: 0 leaks, 0 missing.

PERMISSION_EXAMPLES=50 looks longer (about 7 s an example); what fails is shrunk and printed with a way to repeat
it."""

import os
from functools import partial

import hypothesis
import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.integration.permissions.checks import check
from tests.integration.permissions.company import WORDINGS, Company, Process, running
from tests.integration.permissions.model import ANNE, GROUPS, KEEPER, ROOT, USERS, Document

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES, STEPS = int(os.environ.get("PERMISSION_EXAMPLES", "3")), 16
COLLECTIONS = ("north", "south", "east")
users, groups = st.sampled_from(USERS), st.sampled_from(GROUPS)
keepers = st.sampled_from((ROOT, ROOT, ROOT, KEEPER, KEEPER, ANNE))
places = st.integers(0, 50)
wordings = st.sampled_from(WORDINGS)


class Permissions(RuleBasedStateMachine):
    cached = 0

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.company = Company(process)
        self.model = self.company.model

    def document(self, place: int) -> Document:
        return self.model.there[place % len(self.model.there)]

    def collection(self, place: int) -> str:
        names = sorted(self.model.readers)
        return names[place % len(names)]

    @initialize(
        readers=st.lists(st.sets(groups, min_size=0, max_size=2), min_size=3, max_size=3),
        members=st.lists(st.sets(groups, min_size=1), min_size=4, max_size=4),
    )
    def begins(self, readers: list[set[str]], members: list[set[str]]) -> None:
        for name, given in zip(COLLECTIONS, readers, strict=True):
            self.company.open(name, given)
        for user, belongs in zip(USERS, members, strict=True):
            for group in sorted(belongs):
                self.company.member(user, group)
        for name in COLLECTIONS:
            self.company.add(ROOT, name, waits=False)

    @rule(user=keepers, at=places, waits=st.booleans())
    @precondition(lambda self: len(self.model.there) < 6)
    def adds(self, user: str, at: int, waits: bool) -> None:
        self.company.add(user, self.collection(at), waits=waits)

    @rule(user=keepers, at=places, waits=st.booleans())
    @precondition(lambda self: self.model.there)
    def replaces(self, user: str, at: int, waits: bool) -> None:
        self.company.replace(user, self.document(at), waits=waits)

    @rule()
    @precondition(lambda self: any(each.published != each.newest for each in self.model.there))
    def a_worker_comes(self) -> None:
        self.company.work(next(each for each in self.model.there if each.published != each.newest))

    @rule(user=keepers, at=places, to=places)
    @precondition(lambda self: self.model.there)
    def moves(self, user: str, at: int, to: int) -> None:
        document = self.document(at)
        others = sorted(set(self.model.readers) - {document.collection})
        self.company.move(user, document, others[to % len(others)])

    @rule(user=keepers, at=places)
    @precondition(lambda self: len(self.model.there) > 2)
    def deletes(self, user: str, at: int) -> None:
        self.company.delete(user, self.document(at))

    @rule(
        what=st.sampled_from(("member", "member", "given", "given", "switch")),
        at=places,
        user=users,
        group=groups,
    )
    def regroups(self, what: str, at: int, user: str, group: str) -> None:
        """A user joins or leaves a group, a group is given a collection or loses it, an account is switched off or
        on; not the superuser's, without whom little would happen."""
        if what == "member":
            self.company.member(user, group)
        elif what == "given":
            self.company.given(self.collection(at), group)
        elif user != ROOT:
            self.company.switch(user)

    @rule(at=places)
    @precondition(lambda self: len(self.model.readers) > 2)
    def closes_a_collection(self, at: int) -> None:
        self.company.close_down(self.collection(at))

    @rule(user=users, at=places, typed=st.booleans(), wording=wordings)
    def asks(self, user: str, at: int, typed: bool, wording: str) -> None:
        """Every check asks it again, as everybody."""
        self.company.a_minute_passes()
        about = self.model.documents[at % len(self.model.documents)]
        self.company.ask(user, about, wording, typed=typed)

    @invariant()
    def everybody_finds_what_is_theirs_and_no_more(self) -> None:
        check(self.company)

    def teardown(self) -> None:
        Permissions.cached += self.company.cached
        self.company.close()


def test_nobody_finds_what_is_not_theirs_and_everybody_what_is(settings, tmp_path) -> None:
    Permissions.cached = 0
    profile = hypothesis.settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    )
    with running(settings, tmp_path) as process:
        run_state_machine_as_test(partial(Permissions, process), settings=profile)
    assert Permissions.cached, "no answer came from the cache, so nothing was shown of it"


def test_a_document_moved_to_who_asked_for_it_is_in_the_next_answer(settings, tmp_path) -> None:
    with running(settings, tmp_path) as process:
        company = Company(process)
        company.open("north", {"red"})
        company.open("south", set())
        company.member("anne", "red")
        for name in ("north", "north", "south"):
            company.add(ROOT, name, waits=False)
        company.a_minute_passes()
        about = company.model.documents[-1]
        wording = "What does the {1} say, or that of {0}?"
        company.ask("anne", about, wording, typed=False)
        company.ask("anne", about, wording, typed=False)
        assert company.cached == 1
        company.move(ROOT, about, "north")
        company.ask("anne", about, wording, typed=False)
        company.close()
