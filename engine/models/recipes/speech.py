"""Synthetic speech: words spoken by espeak-ng in many voices, placed in one second of noise.

This is not recorded speech. A model trained on it knows espeak-ng's voices, not people.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import ToolError
from engine.models.recipes.mfcc import CLIP_SAMPLES, SAMPLE_RATE_HZ

KEYWORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SILENCE, UNKNOWN = "silence", "unknown"
LABELS = (*KEYWORDS, SILENCE, UNKNOWN)
OTHER_WORDS = (
    "bed", "bird", "cat", "dog", "house", "tree", "three", "four", "eight", "nine", "happy", "wow", "visual",
    "follow", "learn", "water", "green", "paper", "music", "table",
)  # fmt: skip
WORDS_NEVER_TRAINED = (
    "zero", "one", "six", "seven", "backward", "window", "orange", "doctor", "summer", "bottle",
)  # fmt: skip

ACCENTS = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-scotland", "en-029", "en-us-nyc")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5")
HELD_BACK_ACCENTS = ("en-gb-scotland",)
HELD_BACK_VARIANTS = ("m3", "m7", "f4")

TRAINING_VOICES = tuple(
    f"{a}+{v}" for a in ACCENTS for v in VARIANTS if a not in HELD_BACK_ACCENTS and v not in HELD_BACK_VARIANTS
)
HELD_BACK_VOICES = tuple(f"{a}+{v}" for a in ACCENTS for v in VARIANTS if f"{a}+{v}" not in TRAINING_VOICES)

_WAV_HEADER_BYTES = 44
_RATE_OFFSET = 24


@dataclass(frozen=True)
class Utterance:
    """One word to be spoken: espeak-ng voice, speed in words per minute, pitch 0..99."""

    word: str
    voice: str
    speed_wpm: int
    pitch: int


def espeak_version() -> str:
    """What ``espeak-ng --version`` says; raises ToolError where it is missing."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise ToolError("espeak-ng is not installed", hint="install it, for example: apt install espeak-ng")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split(":")[1].split()[0]


def plan(voices: Sequence[str], words: Sequence[str], times: int, rng: np.random.Generator) -> list[Utterance]:
    """Every word ``times`` times in every voice, each with its own speed and pitch."""
    return [
        Utterance(word, voice, int(rng.integers(110, 211)), int(rng.integers(15, 86)))
        for voice in voices
        for word in words
        for _ in range(times)
    ]


def speak(utterance: Utterance) -> NDArray[np.float32]:
    """The utterance at 16 kHz, without leading and trailing silence, peak 1."""
    options = ["-v", utterance.voice, "-s", str(utterance.speed_wpm), "-p", str(utterance.pitch)]
    command = ["espeak-ng", *options, "--stdout", utterance.word]
    try:
        wav = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ToolError(f"espeak-ng could not speak: {error}", hint="try the command by hand") from error
    rate_hz = int.from_bytes(wav[_RATE_OFFSET : _RATE_OFFSET + 4], "little")
    body = wav[_WAV_HEADER_BYTES:]  # the header of a stream carries no usable length
    samples = np.frombuffer(body[: len(body) // 2 * 2], dtype="<i2").astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max(initial=0.0))
    if loud.size == 0:
        raise ToolError(f"espeak-ng gave no sound for {utterance}", hint="is its voice data installed?")
    sound = resample(samples[loud[0] : loud[-1] + 1], rate_hz, SAMPLE_RATE_HZ)
    return np.asarray(sound / np.abs(sound).max(), dtype=np.float32)


def speak_all(utterances: Sequence[Utterance]) -> list[NDArray[np.float32]]:
    """``speak`` for many, in order."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(speak, utterances))


def resample(samples: NDArray[np.float64], from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """Band-limited resampling by cutting the spectrum of the zero-padded signal; ``to_hz`` is at most ``from_hz``."""
    step = int(np.gcd(from_hz, to_hz))
    unit = from_hz // step
    blocks = -(-samples.size // unit) + 2  # room for the ringing at both ends
    padded = np.zeros(blocks * unit)
    padded[unit : unit + samples.size] = samples
    wanted = blocks * (to_hz // step)
    whole = np.fft.irfft(np.fft.rfft(padded)[: wanted // 2 + 1], wanted) * (wanted / padded.size)
    start = to_hz // step
    return np.asarray(whole[start : start + -(-samples.size * to_hz // from_hz)])


def noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """One second of noise of a random kind, RMS 1: spectrum falling as 1/f^0, 1/f^0.5, 1/f, or mains hum with hiss."""
    spectrum = np.fft.rfft(rng.standard_normal(CLIP_SAMPLES))
    frequency_hz = np.maximum(np.fft.rfftfreq(CLIP_SAMPLES, 1 / SAMPLE_RATE_HZ), 20.0)
    kind = int(rng.integers(4))
    if kind < 3:
        sound = np.fft.irfft(spectrum / frequency_hz ** (0.5 * kind), CLIP_SAMPLES)
    else:
        time_s = np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ
        mains_hz = float(rng.choice([50.0, 60.0]))
        tones = [np.sin(2 * np.pi * (mains_hz * k * time_s + rng.random())) / k for k in range(1, 9)]
        sound = np.sum(tones, axis=0) + 0.2 * rng.standard_normal(CLIP_SAMPLES)
    return np.asarray(sound / np.sqrt(np.mean(sound**2)))


def silence(rng: np.random.Generator) -> NDArray[np.float32]:
    """One second without speech: noise at -60 to -20 dBFS."""
    return np.asarray(noise(rng) * 10 ** (rng.uniform(-60, -20) / 20), dtype=np.float32)


def scene(word: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """One second of sound: ``word`` at a random place and level, sometimes in a small room, with noise 3 to 30 dB below it."""
    sound = word.astype(np.float64)
    if rng.random() < 0.4:
        sound = _reverberate(sound, rng)
    sound = sound[:CLIP_SAMPLES]
    spare = CLIP_SAMPLES - sound.size
    start = int(np.clip(spare / 2 + rng.uniform(-1600, 1600), 0, spare))
    level = 10 ** (rng.uniform(-35, -15) / 20)
    sound = sound * (level / np.sqrt(np.mean(sound**2)))
    clip = noise(rng) * (level * 10 ** (-rng.uniform(3, 30) / 20))
    clip[start : start + sound.size] += sound
    return np.asarray(np.clip(clip, -1, 1), dtype=np.float32)


def _reverberate(sound: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Add a tail of exponentially decaying noise (60 dB in 0.1 to 0.4 s)."""
    length = SAMPLE_RATE_HZ // 4
    decay = 10 ** (-3 * np.arange(length) / (SAMPLE_RATE_HZ * rng.uniform(0.1, 0.4)))
    response = rng.standard_normal(length) * decay * rng.uniform(0.01, 0.06)
    response[0] = 1.0
    size = sound.size + length - 1
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size))
