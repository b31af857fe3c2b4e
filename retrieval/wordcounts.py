"""What words are worth in sentences: BM25 of texts whose words were noted when they were first read."""

from collections import Counter
from collections.abc import Mapping, Sequence

from retrieval.families import family
from retrieval.lexical.bm25 import K1
from retrieval.lexical.weights import rarity

LENGTH = 0.3  # how much BM25 minds a sentence's length; at its usual 0.75 a bare heading beats the answer

Postings = Mapping[str, Sequence[int]]


def postings(sentences: Sequence[Sequence[str]]) -> tuple[Postings, Postings]:
    """Of the words of the sentences and of their families. Most occur once, and those of a sentence share a tuple:
    three fifths of the memory of lists."""
    words: dict[str, tuple[int, ...]] = {}
    families: dict[str, tuple[int, ...]] = {}
    for place, sentence in enumerate(sentences):
        here = (place,)
        for word in sentence:
            words[word] = words[word] + here if word in words else here
            if kin := family(word):
                families[kin] = families[kin] + here if kin in families else here
    return words, families


def bm25(wanted: Sequence[str], texts: Sequence[tuple[int, Postings]], lengths: Sequence[int]) -> list[float]:
    """What LuceneBM25 gives each sentence. rank_bm25 counts every word of every sentence for each question; here they
    were noted when the text was first read. `texts`: the place of each one's first sentence in `lengths`, and its
    postings."""
    mean = sum(lengths) / len(lengths) or 1.0
    minds = [K1 * (1 - LENGTH + LENGTH * length / mean) for length in lengths]
    scores = [0.0] * len(lengths)
    for word in wanted:
        counts = Counter(first + place for first, noted in texts for place in noted.get(word, ()))
        worth = rarity(len(lengths), len(counts))
        for place, count in counts.items():
            scores[place] += worth * count * (K1 + 1) / (count + minds[place])
    return scores
