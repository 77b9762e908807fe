"""``kws``: DS-CNN on synthetic spoken words. ``python -m engine.models.recipes.kws --out DIR``.

The architecture is that of MLPerf Tiny's keyword spotting: 49x10 MFCC, one 10x4 convolution, four depthwise separable
blocks of 64 channels, average pooling, twelve classes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.models.recipes import mfcc, speech
from engine.models.recipes.publish import accuracy_of, endpoint, publish_samples, sha256, write_card, write_model
from engine.models.recipes.quantise import Oracle, operators, parameters, to_int8
from engine.models.recipes.tools import need, tensorflow, versions
from engine.models.zoo.card import AccuracyGroup, Data, ModelCard, SampleSet, Training

SEED = 20240612
EPOCHS = 20
BATCH = 128
RATE = 2e-3
TIMES = 5  # recordings of one keyword by one training voice
SCENES = 4  # scenes (place, level, room, noise) made of one recording for training
SAMPLES_PER_CLASS = 2


@dataclass(frozen=True, eq=False)
class Clips:
    """``features`` [n, 49, 10] raw MFCC, ``labels`` [n] and the ``words`` spoken ("" for silence)."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    words: NDArray[np.str_]


def network(tf: Any) -> Any:
    """DS-CNN; batch normalisation folds away at conversion."""
    layers = tf.keras.layers

    def activate(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    clip = tf.keras.Input((mfcc.FRAMES, mfcc.COEFFICIENTS, 1))
    x = activate(layers.Conv2D(64, (10, 4), strides=(2, 2), padding="same")(clip))
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = activate(layers.DepthwiseConv2D((3, 3), padding="same")(x))
        x = activate(layers.Conv2D(64, (1, 1), padding="same")(x))
    x = layers.Dropout(0.4)(x)
    x = layers.AveragePooling2D((25, 5))(x)
    x = layers.Flatten()(x)
    x = layers.Dense(len(speech.LABELS))(x)
    return tf.keras.Model(clip, layers.Softmax()(x))


def clips(utterances: Sequence[speech.Utterance], scenes: int, quiet: int, stream: int) -> Clips:
    """``scenes`` clips of every utterance, then ``quiet`` clips without speech; ``stream`` separates the random numbers."""
    rng = np.random.default_rng([SEED, stream])
    label_of = {word: i for i, word in enumerate(speech.LABELS)}
    unknown = label_of[speech.UNKNOWN]
    features, labels, words = [], [], []
    for utterance, sound in zip(utterances, speech.speak_all(utterances), strict=True):
        for _ in range(scenes):
            features.append(mfcc.mfcc(speech.scene(sound, rng)))
            labels.append(label_of.get(utterance.word, unknown))
            words.append(utterance.word)
    for _ in range(quiet):
        features.append(mfcc.mfcc(speech.silence(rng)))
        labels.append(label_of[speech.SILENCE])
        words.append("")
    return Clips(np.stack(features), np.asarray(labels), np.asarray(words))


def training_clips() -> Clips:
    """Training voices: every keyword TIMES times, every other word once, each in SCENES scenes; and silence."""
    rng = np.random.default_rng([SEED, 1])
    spoken = speech.plan(speech.TRAINING_VOICES, speech.KEYWORDS, TIMES, rng)
    spoken += speech.plan(speech.TRAINING_VOICES, speech.OTHER_WORDS, 1, rng)
    return clips(spoken, SCENES, quiet=1500, stream=2)


def held_back_clips() -> Clips:
    """Held-back voices: every keyword twice, three other words once, two never-trained words once; and silence."""
    rng = np.random.default_rng([SEED, 3])
    spoken = speech.plan(speech.HELD_BACK_VOICES, speech.KEYWORDS, 2, rng)
    for voice in speech.HELD_BACK_VOICES:
        for words, count in ((speech.OTHER_WORDS, 3), (speech.WORDS_NEVER_TRAINED, 2)):
            chosen = [words[i] for i in rng.choice(len(words), count, replace=False)]
            spoken += speech.plan([voice], chosen, 1, rng)
    return clips(spoken, 1, quiet=2 * len(speech.HELD_BACK_VOICES), stream=4)


def train(tf: Any, model: Any, features: NDArray[np.float32], labels: NDArray[np.int64], epochs: int) -> None:
    """Fixed number of epochs; nothing is chosen by looking at held-back data."""
    model.compile(
        optimizer=tf.keras.optimizers.Adam(
            tf.keras.optimizers.schedules.CosineDecay(RATE, epochs * -(-len(labels) // BATCH))
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    for epoch in range(epochs):
        order = np.random.default_rng([SEED, 5, epoch]).permutation(len(labels))
        model.fit(features[order], labels[order], batch_size=BATCH, shuffle=False, verbose=2)


def _groups(held: Clips, right: NDArray[np.bool_]) -> tuple[AccuracyGroup, ...]:
    parts = (
        ("the ten keywords", np.isin(held.words, speech.KEYWORDS)),
        ("other words that were in training as unknown", np.isin(held.words, speech.OTHER_WORDS)),
        ("other words never heard in training", np.isin(held.words, speech.WORDS_NEVER_TRAINED)),
        ("silence", held.words == ""),
    )
    return tuple(
        AccuracyGroup(name=name, examples=int(part.sum()), int8=round(float(right[part].mean()), 4))
        for name, part in parts
    )


def make(out: Path, epochs: int) -> ModelCard:
    """Speak, train, quantise, measure and write the zoo entry into ``out``."""
    tf = tensorflow(SEED)
    need("tflite_micro")
    espeak = speech.espeak_version()
    training, held = training_clips(), held_back_clips()
    # Fixed numbers, rounded so that the card's digits are the very ones used.
    mean = np.round(training.features.mean(axis=(0, 1)), 3)
    spread = np.round(training.features.std(axis=(0, 1)), 3)

    def normal(features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(((features - mean) / spread)[..., None], dtype=np.float32)

    print(f"{len(training.labels)} training clips, {len(held.labels)} held back", flush=True)
    model = network(tf)
    train(tf, model, normal(training.features), training.labels, epochs)

    guess = model.predict(normal(held.features), batch_size=256, verbose=0).argmax(axis=1)
    chosen = np.random.default_rng([SEED, 6]).choice(len(training.labels), 500, replace=False)
    content = to_int8(model, normal(training.features[chosen]))
    oracle = Oracle(content)
    inputs = oracle.input.quantise(normal(held.features))
    held_back = SampleSet(inputs, held.labels.astype(np.uint8), oracle.run(inputs))

    write_model(out, "kws", content)
    tools = {**versions("tensorflow-cpu", "keras", "numpy", "tflite-micro"), "espeak-ng": espeak}
    oracle_name = f"{Oracle.name} {tools['tflite-micro']}"
    card = ModelCard(
        name="kws",
        title="Keyword spotting: DS-CNN on synthetic speech",
        task="Which of ten words, or another word, or none, is spoken in one second of sound?",
        description=(
            "The architecture of MLPerf Tiny's keyword spotting (DS-CNN: a 10x4 convolution with stride 2 and four depthwise "
            "separable blocks of 64 channels), trained from scratch on words spoken by the synthesiser espeak-ng. Same input "
            "and output shape and the same work per inference; the weights are this project's own."
        ),
        file="kws.tflite",
        sha256=sha256(content),
        size_bytes=len(content),
        operators=operators(content),
        parameters=parameters(content),
        labels=speech.LABELS,
        limits=(
            "Synthetic speech only: the model has never heard a person, and its accuracy on recorded speech is unknown.",
            "Held-back voices share the synthesiser, and some of its accents or timbres, with the training voices.",
            "The file is close to, not the same as, MLPerf Tiny's reference model (other weights, and no RESHAPE before the "
            "dense layer: the converter folds it away): never compare its accuracy with published ones.",
        ),
        data=Data(
            description=(
                f"Synthetic speech, not recordings: espeak-ng in {len(speech.ACCENTS)} English accents x "
                f"{len(speech.VARIANTS)} voice variants, 110 to 210 words per minute, pitch 15 to 85, placed within one "
                "second at -35 to -15 dBFS, 40 % with a short reverberation, with white, pink, brown or hum noise 3 to 30 dB "
                "below the word. 'silence' is noise alone; 'unknown' is other words."
            ),
            licence_note=(
                "All sound is made by the recipe; nothing recorded is used. espeak-ng is free software under "
                "the GPL; neither its program nor its voice data is part of this project."
            ),
            training_examples=len(training.labels),
            split_rule=(
                f"Whole voices are held back: every voice with the variant {', '.join(speech.HELD_BACK_VARIANTS)} and every "
                f"voice with the accent {', '.join(speech.HELD_BACK_ACCENTS)} ({len(speech.HELD_BACK_VOICES)} of "
                f"{len(speech.ACCENTS) * len(speech.VARIANTS)} voices) is used for no training, calibration or choice. Two "
                "fifths of the held-back 'unknown' clips are words that no training clip contains."
            ),
        ),
        accuracy=accuracy_of(held_back, guess, oracle_name, _groups(held, held_back.right)),
        input=endpoint(
            (
                f"{mfcc.FRAMES} frames x {mfcc.COEFFICIENTS} MFCC of 1 s at 16 kHz (40 ms Hann window every 20 ms, 40 mel bands "
                f"{mfcc.LOWEST_HZ:.0f} to {mfcc.HIGHEST_HZ:.0f} Hz, natural logarithm, orthonormal DCT-II; see "
                "engine/models/recipes/mfcc.py); each coefficient minus its mean, divided by its spread, then "
                "q = round(value / scale) + zero_point. "
                f"Means {_numbers(mean)}; spreads {_numbers(spread)}."
            ),
            oracle.input,
        ),
        output=endpoint("probability of each label", oracle.output),
        training=Training(recipe="engine.models.recipes.kws", seed=SEED, epochs=epochs, tools=tools),
        samples=publish_samples(out, "kws", held_back, per_class=SAMPLES_PER_CLASS, seed=SEED, oracle=oracle_name),
    )
    write_card(out, card)
    return card


def _numbers(values: NDArray[np.float32]) -> str:
    return ", ".join(f"{v:.3f}" for v in values)


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description="Train, quantise and measure the zoo model 'kws'.")
    parser.add_argument("--out", type=Path, required=True, help="folder for kws.tflite, kws.toml and kws_samples.npz")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    card = make(options.out, options.epochs)
    print(f"{card.file}: {card.size_bytes} bytes, float {card.accuracy.float32:.2%}, int8 {card.accuracy.int8:.2%}")


if __name__ == "__main__":
    main()
