"""Speech that follows the script: eSpeak through Praat, then pitch, tempo, loudness and effort by overlap-add.

First the words are spoken neutrally; then one pass of Praat's manipulation imposes the affect as a function
of time, so that an episode of the script lies on the same seconds of the sound, whatever the tempo.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
import parselmouth
from parselmouth import praat

RATE = 16_000
SYNTHESISED = 44_100  # hertz that the synthesiser is asked for
GRID = 0.01  # seconds between the points that control pitch and tempo
TEMPO_STEP = 5  # grid points between two points of the tempo: it moves slowly, and points cost time
FASTEST = 1.35  # no affect makes the tempo higher
JITTER = 0.4  # semitones, of a voice without affect
BRIGHT = 1000.0  # hertz, above which effort makes a voice louder: where the alpha ratio of eGeMAPS parts the spectrum
VOWELS = 500.0  # hertz about which most of the energy of speech lies


@dataclass(frozen=True)
class Style:
    """What a unit of arousal, of valence and, where there is a third value, of liking does to a voice.

    Arousal raises pitch, loudness, tempo and vocal effort, by amounts that acted and induced speech span between
    calm and excited. Positive valence makes the pitch higher and livelier (Kamiloglu et al. 2020), negative valence
    the spectrum harder and the voice rougher: spectral balance and spectral noise are what Goudbeek and Scherer 2010
    found to tell of valence beside arousal.
    """

    pitch: tuple[float, ...] = (4.0, 2.0)  # semitones
    melody: tuple[float, ...] = (0.15, 0.80)  # log of the factor on the pitch movement
    loudness: tuple[float, ...] = (6.0, 0.0)  # decibel
    tempo: tuple[float, ...] = (0.22, 0.06)  # log of the factor
    effort: tuple[float, ...] = (6.0, -6.0)  # decibel of what lies above BRIGHT
    roughness: tuple[float, ...] = (0.0, -0.7)  # semitones by which the pitch jitters from one moment to the next

    def with_liking(self, **effects: float) -> "Style":
        """The style with a third value for each effect: those named, 0 for the others."""
        return Style(**{name: (*values, effects.get(name, 0.0)) for name, values in vars(self).items()})


PLAIN = Style()
WOMEN, MEN = ("Female1", "Female2", "Female3", "Female5", "Linda"), ("Male2", "Male3", "Male5", "Male6", "Max")

# People of the corpus talk about an advertisement that they have just seen, and drift off.
SENTENCES = """
Ich fand die Werbung eigentlich ganz gut gemacht.
Am Anfang wusste ich gar nicht worum es überhaupt geht.
Der Wasserhahn sieht schon ziemlich schick aus.
Ich würde so ein Gerät wahrscheinlich nicht kaufen.
Das ist mir ehrlich gesagt viel zu teuer.
Hast du die Stelle mit dem kleinen Jungen gesehen?
Die Musik im Hintergrund hat mir gefallen.
Man muss das Produkt ja erst einmal ausprobieren.
Bei uns in der Küche würde das gar nicht passen.
Meine Schwester hat sich letztes Jahr so etwas gekauft.
Sie ist bis heute sehr zufrieden damit.
Ich glaube die Idee dahinter ist wirklich klug.
Trotzdem kam mir das alles etwas übertrieben vor.
Wer braucht denn zu jeder Zeit kochendes Wasser?
Für Familien mit Kindern ist das sicher praktisch.
Es spart natürlich eine Menge Zeit am Morgen.
Den Strom darf man dabei aber auch nicht vergessen.
Vielleicht bin ich einfach nicht die richtige Zielgruppe.
Gestern habe ich darüber noch mit Freunden gesprochen.
Die haben das ganz anders gesehen als ich.
Im Fernsehen laufen viel schlechtere Filme.
Der Schauspieler kam mir irgendwie bekannt vor.
Am Ende musste ich sogar ein wenig lachen.
So richtig überzeugt hat mich das noch nicht.
Wir trinken zu Hause ohnehin lieber Kaffee.
Man könnte das Geld auch für etwas anderes ausgeben.
Ich mochte vor allem die Farben und das Licht.
Die Geschichte war mir ein bisschen zu lang.
Hoffentlich wird das bald etwas billiger.
Mein Nachbar würde sich sofort darüber freuen.
Also mir ist die Sicherheit am wichtigsten.
Ein Kind kann sich daran doch leicht verbrennen.
Das haben sie in dem Film aber gut erklärt.
Davon habe ich leider nichts mitbekommen.
Wie lange hält so ein Gerät denn im Alltag?
Das werden wir in zwei Jahren schon sehen.
""".strip().splitlines()


@dataclass(frozen=True)
class Speakers:
    """How a group of people talks: words, voices, ranges of pitch and speed, and what affect does to them."""

    language: str = "German"  # as eSpeak names it
    sentences: tuple[str, ...] = tuple(SENTENCES)
    women: tuple[str, ...] = WOMEN
    men: tuple[str, ...] = MEN
    pitch_women: tuple[float, float] = (205.0, 18.0)  # mean and spread in hertz
    pitch_men: tuple[float, float] = (115.0, 12.0)
    wpm: tuple[int, int] = (150, 185)  # words per minute
    style: Style = PLAIN


GERMANS = Speakers()


def speak(voice: str, sentences: list[str], wpm: int, language: str = "German") -> list[np.ndarray]:
    """Each sentence as neutral speech, float32 (n,) at 44.1 kHz."""
    synthesizer = praat.call("Create SpeechSynthesizer", language, voice)
    praat.call(synthesizer, "Speech output settings", SYNTHESISED, 0.01, 1.0, 1.0, wpm, "IPA")
    spoken = (praat.call(synthesizer, "To Sound", sentence, "no") for sentence in sentences)
    sounds = (sound[0] if isinstance(sound, list) else sound for sound in spoken)
    return [sound.values[0].astype(np.float32) for sound in sounds]


def speak_afresh(*orders: tuple) -> list[list[np.ndarray]]:
    """`speak` for each order (voice, sentences, wpm, language), in a process of its own; resampled to 16 kHz.

    eSpeak's vibrato goes on where the last call left it: only a fresh process always gives the same samples.
    """
    from scipy.signal import resample_poly  # here, so that the other process starts without it

    sent = json.dumps(orders).encode()
    # in a session of its own: Ctrl-C is told to this process, which ends the other one without a word from it
    other = [sys.executable, __file__]
    answer = subprocess.run(other, input=sent, stdout=subprocess.PIPE, check=True, start_new_session=True).stdout
    counts = [len(sentences) for _, sentences, *_ in orders]
    count = sum(counts)
    lengths, samples = np.frombuffer(answer, np.int32, count), np.frombuffer(answer, np.float32, offset=4 * count)
    sounds = (
        resample_poly(sound, RATE // 100, SYNTHESISED // 100) for sound in np.split(samples, np.cumsum(lengths)[:-1])
    )
    return [list(islice(sounds, count)) for count in counts]


def answer_orders() -> None:
    """The other end of `speak_afresh`: orders from stdin, lengths and samples to stdout."""
    sounds = [sound for order in json.load(sys.stdin) for sound in speak(*order)]
    lengths = np.array([len(sound) for sound in sounds], np.int32)
    sys.stdout.buffer.write(lengths.tobytes() + np.concatenate(sounds).tobytes())


def trim(sound: np.ndarray) -> np.ndarray:
    """Without the silence that the synthesiser puts around a sentence."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def count_sentences(turns: np.ndarray, speed: float) -> int:
    """How many sentences to synthesise for these turns; `fill` starts again if they are few."""
    return 1 + int(np.diff(turns).sum() * speed / 2.0)  # a sentence lasts 2 to 3 s


def fill(turns: np.ndarray, sounds: list[np.ndarray], pause: float, speed: float) -> list[np.ndarray]:
    """For each turn (start, end) enough sentences in a row to last at `speed` times the normal tempo."""
    gap, supply, spoken = np.zeros(int(pause * RATE), np.float32), cycle(sounds), []
    for start, end in turns:
        needed, parts = int((end - start) * speed * RATE) + RATE // 10, []
        while sum(map(len, parts)) < needed:
            parts += [trim(next(supply)), gap]
        spoken.append(np.concatenate(parts)[:needed])
    return spoken


def express(
    words: np.ndarray,
    duration: float,
    affect: Callable[[np.ndarray], np.ndarray],
    base: float,
    rng: np.random.Generator,
    style: Style = PLAIN,
) -> np.ndarray:
    """Neutral `words` (n,) as `duration` seconds of speech at `base` hertz that shows affect(times) -> (t, d).

    The jitter is of `rng`. The affect has as many values as the style: arousal, valence and perhaps liking.
    """
    times = np.arange(0, duration, GRID)
    shown = affect(times)
    tempo = shown @ style.tempo
    position = np.concatenate([[0], np.cumsum(np.exp(tempo))[:-1]]) * GRID  # in `words`, at each time
    source = parselmouth.Sound(words[: int((position[-1] + 0.05) * RATE)], RATE)
    manipulation = praat.call(source, "To Manipulation", 0.01, 60, 500)
    praat.run("random_initializeWithSeedUnsafelyButPredictably (1)")  # overlap-add shuffles voiceless parts
    praat.call([make_tempo_tier(source, position, tempo), manipulation], "Replace duration tier")
    melody = (shown @ effect for effect in (style.pitch, style.melody, style.roughness))
    praat.call([make_pitch_tier(source, position, *melody, base, rng), manipulation], "Replace pitch tier")
    sound = praat.call(manipulation, "Get resynthesis (overlap-add)").values[0]
    sound = np.pad(sound, (0, RATE))[: int(duration * RATE)]
    at = np.arange(len(sound)) / RATE
    gain = 10 ** (np.interp(at, times, shown @ style.loudness) / 20)
    return gain * brighten(sound, np.interp(at, times, shown @ style.effort))


def make_tempo_tier(source: parselmouth.Sound, position: np.ndarray, tempo: np.ndarray) -> parselmouth.Data:
    """The duration tier that makes second t of the result second position(t) of the source."""
    tier = praat.call("Create DurationTier", "tempo", 0, source.xmax)
    return add_points(tier, position[::TEMPO_STEP], np.exp(-tempo)[::TEMPO_STEP])  # the tier interpolates


def add_points(tier: parselmouth.Data, seconds: np.ndarray, values: np.ndarray) -> parselmouth.Data:
    """The tier with these points, added by one script: a call for each takes twenty times as long."""
    points = zip(seconds.tolist(), values.tolist())
    praat.run(tier, "\n".join(f"Add point: {second!r}, {value!r}" for second, value in points))
    return tier


def make_pitch_tier(
    source: parselmouth.Sound,
    position: np.ndarray,
    shift: np.ndarray,
    stretch: np.ndarray,
    roughness: np.ndarray,
    base: float,
    rng: np.random.Generator,
) -> parselmouth.Data:
    """The melody of the source around `base` hertz: moved by `shift` semitones, stretched by exp(stretch), and rough."""
    pitch = source.to_pitch(GRID, 60, 500)
    second, hertz = pitch.xs(), pitch.selected_array["frequency"]
    second, hertz = second[hertz > 0], hertz[hertz > 0]
    tier = praat.call("Create PitchTier", "melody", 0, source.xmax)
    melody = 12 * np.log2(hertz / np.median(hertz)) if len(hertz) else hertz
    shift, stretch, roughness = (np.interp(second, position, effect) for effect in (shift, stretch, roughness))
    jitter = rng.standard_normal(len(second)) * (JITTER + roughness).clip(0)
    moved = base * 2 ** ((melody.clip(-6, 6) * np.exp(stretch) + shift + jitter) / 12)
    return add_points(tier, second, moved.clip(60, 480))


def brighten(sound: np.ndarray, effort: np.ndarray) -> np.ndarray:
    """More energy above BRIGHT beside that at VOWELS, `effort` (n,) decibel between the lowest and the highest frequency.

    The two parts of a filter of first order are 90 degrees apart, hence the squares of their gains add up.
    """
    from scipy.signal import butter, freqz, lfilter

    filter_, gain = butter(1, BRIGHT, fs=RATE), 10 ** (effort / 20)
    dark, share = lfilter(*filter_, sound), np.abs(freqz(*filter_, [VOWELS], fs=RATE)[1]) ** 2
    return (dark + gain * (sound - dark)) / np.sqrt(share + gain**2 * (1 - share))


def set_level(sound: np.ndarray, decibel: float) -> np.ndarray:
    """The sound with its RMS at `decibel` below full scale."""
    return sound * (10 ** (decibel / 20) / (np.sqrt(np.mean(np.square(sound))) + 1e-9))


def place(track: np.ndarray, sound: np.ndarray, start: float) -> None:
    """Add the sound to the track from `start` seconds on, with flanks of 40 ms."""
    first = round(start * RATE)
    sound = sound[: len(track) - first]
    flank = np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / (0.04 * RATE)
    track[first : first + len(sound)] += sound * np.minimum(flank, 1)


def find_pauses(turns: np.ndarray, length: float) -> np.ndarray:
    """What the turns (t, 2) leave over, for the partner: (p, 2), none shorter than 1.5 s, with 0.3 s to breathe."""
    edges = np.concatenate([[0.0], turns.ravel(), [length]]).reshape(-1, 2) + (0.3, -0.3)
    return edges[edges[:, 1] - edges[:, 0] > 1.5]


def record(
    rng: np.random.Generator,
    woman: bool,
    length: float,
    turns: np.ndarray,
    affect: Callable[[np.ndarray], np.ndarray],
    speakers: Speakers = GERMANS,
) -> np.ndarray:
    """One recording, int16 (16000 * length,): the person's turns with affect(seconds) -> (n, d), the partner, the room."""
    women, men = speakers.women, speakers.men
    voice, partner = rng.choice(women if woman else men), rng.choice(men if woman else women)
    base = rng.normal(*(speakers.pitch_women if woman else speakers.pitch_men))
    wpm, pause = int(rng.integers(*speakers.wpm)), rng.uniform(0.15, 0.3)
    gaps = find_pauses(turns, length)
    order = [speakers.sentences[i] for i in rng.permutation(len(speakers.sentences))]
    mine, theirs = order[: count_sentences(turns, FASTEST)], order[::-1][: count_sentences(gaps, 1.0)]
    orders = [(str(voice), mine, wpm, speakers.language), (str(partner), theirs, wpm, speakers.language)]
    mine, theirs = speak_afresh(*orders)
    words, answers = fill(turns, mine, pause, FASTEST), fill(gaps, theirs, pause, 1.0)
    track = 0.0007 * rng.standard_normal(round(length * RATE))  # the room: about -63 dB
    for (start, end), spoken in zip(turns, words):
        sound = express(
            set_level(spoken, -26), end - start, lambda t, start=start: affect(start + t), base, rng, speakers.style
        )
        place(track, sound, start)
    for (start, _), sound in zip(gaps, answers):
        place(track, set_level(sound, -44), start)  # the other's voice from a loudspeaker, faint
    return np.round(track.clip(-1, 1) * 32767).astype(np.int16)


if __name__ == "__main__":
    answer_orders()
