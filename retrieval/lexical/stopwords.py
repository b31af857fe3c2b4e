"""Words that say nothing of a text's subject. English has a longer list than the rest, for questions are
mostly made of such words; the other languages use the lists that tantivy brings, and what a question asks with."""

_ENGLISH = """
a about above after again against all also am an and any are aren as at be because been before being below
between both but by can cannot could couldn did didn do does doesn doing don down during each either else
ever few for from further get gets getting got had hadn has hasn have haven having he her here hers herself
him himself his how however i if in into is isn it its itself just let like ll many me might mine more most
much must my myself neither no nor not of off on once only or other our ours ourselves out over own per
please re s same shall she should shouldn so some such t than that the their theirs them themselves then
there these they this those though through to too under until up upon us ve very was wasn we were weren what
whatever when where whether which while who whoever whom whose why will with within without won would wouldn
yes yet you your yours yourself yourselves
"""
ENGLISH = frozenset(_ENGLISH.split())

ASKING = {
    "da": "findes hvem hvilke hvilken hvilket hvordan hvorfor hvornår kan må",
    "de": "darf dürfen gibt kannst müssen wann warum wer weshalb wieso wieviel woher wohin",
    "el": "γιατι μπορω ποια ποιο ποιος ποσα ποσο ποτε που πως τι",
    "es": "adónde cual cuales cuanta cuantas cuanto cuantos cuál cuáles cuándo cuánta cuántas cuánto cuántos cómo debe"
    " debo dónde puede puedo quién quiénes",
    "fi": "kuinka milloin miten onko voiko voinko",
    "fr": "ça combien comment doit dois est faut laquelle lequel où peut peux pourquoi puis quand quoi"
    " atil aton doisje doiton estce estil fautil peuton puisje",  # a-t-il and the like, joined
    "hu": "hol melyik mennyi",
    "it": "cosa deve devo posso può qual quali quando",
    "nl": "hoeveel kun mag waar waarom wanneer welk welke",
    "no": "finnes hvilket må",
    "pt": "aonde deve devo onde pode porque porquê posso quais quanta quantas quanto quantos é",
    "ro": "care ce cine cum când cât este pot unde",
    "ru": "какие какое могу нужно откуда почему сколько",
    "sv": "finns får måste",
    "tr": "hangi kaç kim mi mu mü mı nasıl ne neden nerede",
}
"""What tantivy's lists leave of question words and of can, must and is."""

SMALL = {
    "ar": "من في على إلى عن مع هذا هذه ذلك تلك التي الذي الذين ما لا لم لن إن أن كان كانت يكون هو هي هم كل"
    " بعد قبل عند أو و ثم قد بين حتى إذا كما أي غير لكن منذ هل كيف متى أين لماذا",
    "el": "ο η το οι τα του της των τον την και κι να σε με για από στο στη στην στον στα στις στους είναι"
    " ήταν θα δεν μην μη ως αυτό αυτή αυτός αυτά αυτές αυτοί ένα ένας μια ή αν ότι όπως αλλά προς κατά"
    " μετά έχει έχουν σας μας μου σου τους τις κάθε όταν ώστε επίσης",
    "ro": "a ai al ale am ar are asta au ați aţi ca ce cea cei cel cele cu da dar de deci despre din după e"
    " ea ei el ele era eu fi fie fost iar în între la le lor lui mai mea mă ne nici noi nu o ori pe"
    " pentru prin sau să se sunt sub te tot un una unei unele unor unui va vă voi și şi toate această"
    " acest aceasta aceste acestea acel",
    "tr": "ama ancak artık bazı belki ben beni benim bir biri birkaç birçok biz bize bu buna bunda bundan"
    " bunlar bunu bunun burada da daha de değil diye en gibi göre hem hep her hiç ile için içinde ise"
    " kadar ki kendi o olan olarak oldu olduğu olur ona ondan onlar onu onun sadece sonra siz şu tüm var"
    " ve veya ya yani yok çok çünkü üzere",
}
"""Stop words of languages for which tantivy brings none."""

# The same letters as a stop word, but a thing when written in capitals: the IT department, the US office.
CAPITALS = frozenset({"IT", "US", "WHO", "OR", "AM"})

LANGUAGES = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"""Code -> the name of its stemmer. A collection declares codes; anything else is read as English."""
