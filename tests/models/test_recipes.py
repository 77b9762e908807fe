"""The parts of the recipes that need no TensorFlow."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ToolError
from engine.models.recipes import digits, mfcc, publish, speech, tools
from engine.models.recipes.quantise import Affine
from engine.models.zoo.card import SampleSet, load_card, load_samples


def test_mfcc_has_the_models_shape_and_is_finite_on_digital_silence() -> None:
    features = mfcc.mfcc(np.zeros(mfcc.CLIP_SAMPLES, dtype=np.float32))
    assert features.shape == (49, 10)
    assert np.all(np.isfinite(features))


def test_mfcc_of_a_louder_sound_differs_in_the_first_coefficient_only() -> None:
    sound = np.random.default_rng(1).normal(0, 0.05, mfcc.CLIP_SAMPLES).astype(np.float32)
    change = mfcc.mfcc(4 * sound) - mfcc.mfcc(sound)
    # 4x the amplitude adds ln 16 to every band, and the orthonormal DCT puts a constant into coefficient 0
    assert np.allclose(change[:, 0], np.log(16) * np.sqrt(mfcc.MEL_BANDS), atol=1e-2)
    assert np.allclose(change[:, 1:], 0, atol=1e-2)


def test_mfcc_refuses_another_length() -> None:
    with pytest.raises(ValueError, match="16000"):
        mfcc.mfcc(np.zeros(10, dtype=np.float32))


def test_resampling_keeps_frequency_level_and_duration() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(22_050) / 22_050)
    result = speech.resample(tone, 22_050, 16_000)
    assert result.size == 16_000
    assert int(np.abs(np.fft.rfft(result)).argmax()) == 1000
    assert np.std(result[1000:-1000]) == pytest.approx(np.sqrt(0.5), rel=1e-2)


def test_no_held_back_voice_or_word_is_trained() -> None:
    assert not set(speech.TRAINING_VOICES) & set(speech.HELD_BACK_VOICES)
    assert len(speech.TRAINING_VOICES) + len(speech.HELD_BACK_VOICES) == len(speech.ACCENTS) * len(speech.VARIANTS)
    for voice in speech.TRAINING_VOICES:
        accent, variant = voice.split("+")
        assert accent not in speech.HELD_BACK_ACCENTS
        assert variant not in speech.HELD_BACK_VARIANTS
    trained = {*speech.KEYWORDS, *speech.OTHER_WORDS}
    assert not trained & set(speech.WORDS_NEVER_TRAINED)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0, 1.7])
def test_scene_is_one_second_whatever_the_word_lasts(seconds: float) -> None:
    word = np.sin(np.arange(int(seconds * 16_000)) / 5).astype(np.float32)
    for seed in range(8):
        clip = speech.scene(word, np.random.default_rng(seed))
        assert clip.shape == (mfcc.CLIP_SAMPLES,)
        assert np.abs(clip).max() <= 1


def _digits(n: int) -> digits.Digits:
    rng = np.random.default_rng(3)
    ink = np.zeros((10 * n, 28, 28), dtype=np.float32)
    ink[:, 6:22, 10:18] = rng.random((10 * n, 16, 8))
    return digits.Digits(ink, np.repeat(np.arange(10), n))


def test_split_holds_back_the_last_fifth_of_every_digit() -> None:
    data = _digits(10)
    training, held = digits.split(data)
    assert np.bincount(held.labels).tolist() == [2] * 10
    assert np.array_equal(held.ink[:2], data.ink[8:10])
    assert not {d.tobytes() for d in training.ink} & {d.tobytes() for d in held.ink}


def test_pictures_are_whole_numbers_of_a_byte_and_repeatable() -> None:
    ink = _digits(3).ink
    pictures = digits.draw(ink, np.random.default_rng(7))
    assert pictures.shape == (30, 32, 32, 3)
    assert pictures.min() >= 0
    assert pictures.max() <= 255
    assert np.array_equal(pictures, np.rint(pictures))
    assert np.array_equal(pictures, digits.draw(ink, np.random.default_rng(7)))
    assert not np.array_equal(pictures, digits.draw(ink, np.random.default_rng(8)))


def test_quantise_rounds_and_saturates() -> None:
    affine = Affine(shape=(1, 4), scale=0.5, zero_point=3)
    values = np.array([0.0, 0.74, -1000.0, 1000.0], dtype=np.float32)
    assert affine.quantise(values).tolist() == [3, 4, -128, 127]


def test_card_survives_being_written() -> None:
    for name in ("ic", "kws"):
        card = load_card(name)
        again = tomllib.loads(publish._toml(card.model_dump(mode="json")))
        assert type(card).model_validate(again) == card


def test_a_missing_training_package_is_one_message() -> None:
    with pytest.raises(ToolError, match="no_such_package") as caught:
        tools.need("no_such_package")
    assert "pip install -e '.[train]'" in caught.value.hint


def test_what_a_card_says_of_accuracy_and_samples(tmp_path: Path) -> None:
    # eight examples of two classes, each answered with class 0: half of them are right
    outputs = np.tile(np.array([[100, -100]], np.int8), (8, 1))
    held_back = SampleSet(np.arange(8, dtype=np.int8)[:, None], np.arange(8, dtype=np.uint8) % 2, outputs)
    found = publish.accuracy_of(held_back, np.zeros(8, np.int64) + 1, "an oracle 1")
    assert (found.float32, found.int8, found.int8_correct, found.held_back_examples) == (0.5, 0.5, 4, 8)
    card = load_card("ic")
    kept = load_samples("ic")
    again = publish.publish_samples(tmp_path, "ic", kept, per_class=2, seed=1, oracle=card.samples.oracle)
    assert (again.examples, again.choice, again.file) == (card.samples.examples, card.samples.choice, card.samples.file)
    assert again.sha256 == publish.sha256((tmp_path / again.file).read_bytes())
