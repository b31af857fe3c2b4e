"""Which 8-bit encoding a text in Latin letters is in, by the letters that its language has beside those of ASCII."""

from collections import Counter

_WEST = (
    "áéíóúüñ",  # Spanish
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüßé",  # German
    "áâãàçéêíóôõúü",  # Portuguese
    "àèéìíîòóùú",  # Italian
    "àçèéíïòóúü",  # Catalan
    "éèëïóöüê",  # Dutch
    "æøåéèóòôäöü",  # Danish and Norwegian
    "åäöéüà",  # Swedish and Finnish
    "áéíóúýþæöð",  # Icelandic
    "äöõüšž",  # Estonian
)
_MIDDLE = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "čćđšž",  # Croatian, Slovene and Bosnian
    "ăâîşţ",  # Romanian
)
_SIGNS = frozenset("\xa0«»“”„‘’‚–—…•°§©®™€£¿¡ºª·²×±µ")
# What a byte is worth that is a letter of the language, in the usual encoding; and less than that, in this order:
_SIGN = 0.9  # a sign there
_OTHER = 0.88  # a letter in another encoding: a "©" alone is a "Š" there
_MIXED = 0.8  # a letter of another language, as in an English text with words of several
_OLD = 0.75  # a letter in the encodings of DOS and the Macintosh
_MOST = 0.3  # of all letters: no Latin alphabet has more of them, and every other has
_ENOUGH = 0.96  # of what is not ASCII

# In the order in which they are likely: what two of them explain equally well is in the first.
_ENCODINGS = (
    ("cp1252", _WEST, 1.0),
    ("iso8859_15", _WEST, _OTHER),
    ("cp1250", _MIDDLE, _OTHER),
    ("iso8859_2", _MIDDLE, _OTHER),
    ("cp1254", ("çğıöşüâî",), _OTHER),
    ("cp1257", ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž"), _OTHER),
    ("cp1252", ("".join(_WEST),), _MIXED),
    ("mac_roman", _WEST, _OLD),
    ("cp850", _WEST, _OLD),
    ("cp852", _MIDDLE, _OLD),
    ("mac_latin2", _MIDDLE, _OLD),
)


def latin_encoding(data: bytes) -> str:
    """The encoding whose letters are those of one language; empty where there is none, as for other alphabets."""
    counted = Counter(data)
    high = {byte: times for byte, times in counted.items() if byte >= 0x80}
    letters = sum(times for byte, times in counted.items() if byte < 0x80 and chr(byte).isalpha())
    count = sum(high.values())
    if count > _MOST * (letters + count):
        return ""
    best, most = "", 0.0
    for encoding, alphabets, worth in _ENCODINGS:
        chars = {bytes([byte]).decode(encoding, errors="replace"): times for byte, times in high.items()}
        for alphabet in alphabets:
            known = _letters(alphabet)
            told = sum(times for char, times in chars.items() if char in known)
            signs = sum(times for char, times in chars.items() if char in _SIGNS)
            if told + signs >= _ENOUGH * count and worth * (told + _SIGN * signs) > most:
                best, most = encoding, worth * (told + _SIGN * signs)
    return best


def _letters(alphabet: str) -> frozenset[str]:
    return frozenset(alphabet + alphabet.upper() + ("İ" if "ı" in alphabet else ""))
