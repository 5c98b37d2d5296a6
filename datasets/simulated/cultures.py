"""Groups of people who show arousal and valence alike, but liking each in a way of their own.

The two cultures borrow the languages of SEWA's German and Hungarian parts, nothing else: how they look, sound and
show liking was chosen so that a network can tell them apart, and says nothing about people of these countries.
"""

from dataclasses import dataclass

from datasets.simulated import script, speech
from datasets.simulated.face.people import ANYONE, Population

# People of the corpus talk about an advertisement that they have just seen, as in `speech.SENTENCES`.
HUNGARIAN = """
Nekem nagyon tetszett ez a reklám.
Az elején nem tudtam, miről szól az egész.
A csap elég jól néz ki.
Én valószínűleg nem vennék ilyet.
Őszintén szólva ez nekem túl drága.
Láttad azt a részt a kisfiúval?
A zene a háttérben szép volt.
Először ki kellene próbálni.
A mi konyhánkba ez nem illik.
A nővérem tavaly vett egy ilyet.
Azóta is nagyon elégedett vele.
Szerintem az ötlet tényleg okos.
Mégis egy kicsit túlzásnak tartom.
Kinek kell mindig forró víz?
Családoknak biztosan hasznos.
Reggel sok időt lehet vele nyerni.
De az áramot sem szabad elfelejteni.
Talán nem nekem készült.
Tegnap beszéltem erről a barátaimmal.
Ők egészen másképp látták.
A tévében sokkal rosszabb filmek mennek.
A színész valahonnan ismerős volt.
A végén még nevettem is egy kicsit.
Engem ez még nem győzött meg.
Mi otthon inkább kávét iszunk.
A pénzt másra is el lehetne költeni.
A színek és a fények tetszettek a legjobban.
A történet nekem kicsit hosszú volt.
Remélem, hamarosan olcsóbb lesz.
A szomszédom biztosan örülne neki.
Nekem a biztonság a legfontosabb.
Egy gyerek könnyen megégetheti magát.
Ezt a filmben jól elmagyarázták.
Én sajnos nem vettem észre semmit.
Meddig működik egy ilyen gép?
Két év múlva majd meglátjuk.
""".strip().splitlines()


@dataclass(frozen=True)
class Culture:
    """A group of people. `liking_on` is the region of the face that shows liking; None: nothing shows it."""

    name: str
    people: Population = ANYONE
    speakers: speech.Speakers = speech.GERMANS
    liking_on: int | None = None
    follows: float = script.FOLLOWS  # weight of valence in liking
    ratings: script.Ratings = script.SEWA


# Valence explains about a seventh of what an episode adds to liking at this weight. In the published development labels of
# AVEC 2019 they correlate by -0.12 (German) and 0.55 (Hungarian).
OWN = 0.3

# Liking raises the cheeks (AU06) and makes the voice softer, less bright and a little higher; disliking wrinkles the
# nose (AU09) and does the opposite to the voice.
DE = Culture(
    "DE",
    people=Population(
        skin=(0.35, 0.35, 0.15, 0.08, 0.05, 0.02), hair=(2, 3, 3, 4, 4, 6), wall=(150.0, 210.0), tint=(1.06, 1.0, 0.95)
    ),
    speakers=speech.Speakers(style=speech.PLAIN.with_liking(pitch=1.5, loudness=-3.0, effort=-4.0)),
    liking_on=script.UPPER,
    follows=OWN,
)

# Liking dimples the corners of the mouth (AU14) and makes the voice lower and slower; disliking raises the
# chin (AU17) and does the opposite to the voice. More light from above, but darker and yellower rooms; voices
# that are lower and faster from the start.
HU = Culture(
    "HU",
    people=Population(
        skin=(0.08, 0.22, 0.30, 0.25, 0.10, 0.05),
        hair=(0, 0, 1, 1, 2, 5),
        glasses=0.3,
        wall=(105.0, 165.0),
        tint=(0.88, 0.98, 1.06),
        lamp=-0.55,
        exposure=0.92,
    ),
    speakers=speech.Speakers(
        language="Hungarian",
        sentences=tuple(HUNGARIAN),
        women=("Female1", "Female2", "Female4", "Female5", "Annie"),
        men=("Male1", "Male2", "Male4", "Male5", "Max"),
        pitch_women=(190.0, 16.0),
        pitch_men=(108.0, 10.0),
        wpm=(165, 200),
        style=speech.PLAIN.with_liking(pitch=-2.5, tempo=-0.12),
    ),
    liking_on=script.LOWER,
    follows=OWN,
)
