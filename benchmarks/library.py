"""A synthetic library with a fact for every question: topics by offices, so that thousands of different
questions each have one right passage among many that are alike."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

TOPICS = (
    *(
        "annual leave",
        "parental leave",
        "sick leave",
        "overtime",
        "remote work",
        "travel expenses",
        "training",
    ),
    *(
        "bicycle lease",
        "pension",
        "relocation",
        "meal allowance",
        "mobile phone",
        "laptop renewal",
        "parking",
    ),
    *(
        "referral bonus",
        "conference visits",
        "sabbatical",
        "medical checks",
        "language courses",
        "night shifts",
    ),
    *("visitor passes", "badge renewal", "expense advances", "company cars", "home office equipment"),
    *("volunteer days", "study leave", "jubilee gifts", "childcare", "stand-by duty", "data access"),
    *("software licences", "printing", "catering", "room booking", "fire drills", "first aid", "key cards"),
    *("mail delivery", "archive access"),
)
OFFICES = (
    *("Aarhus", "Bergen", "Bilbao", "Bologna", "Bremen", "Bristol", "Bruges", "Cardiff", "Cork", "Dresden"),
    *("Dundee", "Eindhoven", "Espoo", "Gdansk", "Geneva", "Ghent", "Girona", "Graz", "Kaunas", "Leeds"),
    *("Leiden", "Leipzig", "Linz", "Lisbon", "Lublin", "Malmo", "Nantes", "Odense", "Oulu", "Padua"),
    *("Porto", "Rennes", "Riga", "Seville", "Tallinn", "Tampere", "Turin", "Utrecht", "Vilnius", "Zagreb"),
)
QUESTIONS = (
    "What is the yearly limit for {topic} in {office}?",
    "Which form do I need for {topic} in {office}?",
    "Who approves {topic} at the {office} office?",
    "How many weeks ahead must {topic} be requested in {office}?",
)


@dataclass(frozen=True, slots=True)
class Page:
    """A document of one passage."""

    title: str
    heading: str
    text: str


def pages(topics: int = len(TOPICS)) -> Iterator[Page]:
    """The pages on the first so many topics."""
    for number, (topic, office) in enumerate(itertools.product(TOPICS[:topics], OFFICES)):
        limit, weeks, form = 5 + number % 37, 1 + number % 11, f"{topic[:2].upper()}-{1000 + number}"
        text = (
            f"The yearly limit for {topic} in {office} is {limit} units for each member of staff. "
            f"Use form {form} for {topic} in {office}; the form is on the intranet. "
            f"Requests for {topic} are approved at the {office} office by team {number % 23 + 1}. "
            f"In {office}, {topic} must be requested at least {weeks} weeks ahead, in writing. "
            "What is not used by the end of March of the next year is lost unless the team agrees otherwise."
        )
        yield Page(f"{office} handbook", topic.capitalize(), text)


def questions(topics: int = len(TOPICS)) -> Iterator[str]:
    """Different questions about these pages, neighbours in the list about different topics and offices."""
    for shift, question in itertools.product(range(len(OFFICES)), QUESTIONS):
        for place, topic in enumerate(TOPICS[:topics]):
            yield question.format(topic=topic, office=OFFICES[(place + shift) % len(OFFICES)])
