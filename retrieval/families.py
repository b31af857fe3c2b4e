"""Words of one family, as far as stemming leaves them apart: probation and probationary, lose and lost."""

from retrieval.lexical.analysis import terms

BEGINNING = 5  # letters of two stems that are alike in words of one family

# English verbs that change within, with the nouns that change like them.
_VERBS = """
become became | begin began begun | break broke broken | bring brought | build built | buy bought |
choose chose chosen | come came | deal dealt | drive drove driven | eat ate eaten |
fall fell fallen | feel felt | find found | fly flew flown flight | forget forgot forgotten |
give gave given | grow grew grown | hold held | keep kept |
know knew known | lead led | learn learnt | leave left | lend lent | lose lost loss | make made |
mean meant | meet met | pay paid payment | ride rode ridden | rise rose risen | run ran |
say said | see saw seen | sell sold sale | send sent | shrink shrank | speak spoke spoken |
spend spent | stand stood | steal stole stolen theft | take took taken | teach taught | tell told |
think thought | throw threw thrown | understand understood | wear wore worn | win won |
write wrote written
"""


def _irregular() -> dict[str, str]:
    """Stem -> the stem of the verb's first form."""
    found: dict[str, str] = {}
    for verb in _VERBS.split("|"):
        stems = terms(verb)
        found.update((stem, stems[0]) for stem in stems)
    return found


_IRREGULAR = _irregular()


def family(stem: str) -> str:
    """What all words of the stem's family share; "" for a short word, of which others that begin alike are none."""
    return _IRREGULAR.get(stem) or (stem[:BEGINNING] if len(stem) >= BEGINNING else "")
