"""Mel-frequency cepstral coefficients with numpy alone: 1 s of 16 kHz sound → 49 frames of 10 coefficients.

Textbook definition: Hann window, power spectrum, triangular mel filters (mel = 2595 log10(1 + f / 700)), natural
logarithm, orthonormal DCT-II.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
CLIP_SAMPLES = 16_000
WINDOW_SAMPLES = 640  # 40 ms
STEP_SAMPLES = 320  # 20 ms
FRAMES = 1 + (CLIP_SAMPLES - WINDOW_SAMPLES) // STEP_SAMPLES
FFT_SIZE = 1024
MEL_BANDS = 40
LOWEST_HZ = 20.0
HIGHEST_HZ = 7600.0
COEFFICIENTS = 10
POWER_FLOOR = 1e-6  # keeps the logarithm of digital silence finite


@cache
def _mel_filters() -> NDArray[np.float64]:
    """[FFT_SIZE/2+1, MEL_BANDS] triangles of height 1, evenly spaced in mel."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (LOWEST_HZ, HIGHEST_HZ))
    edges_hz = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(FFT_SIZE, 1 / SAMPLE_RATE_HZ)[:, None]
    left, middle, right = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz - left) / (middle - left)
    falling = (right - bins_hz) / (right - middle)
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return filters


@cache
def _dct() -> NDArray[np.float64]:
    """[MEL_BANDS, COEFFICIENTS] orthonormal DCT-II."""
    band = np.arange(MEL_BANDS)[:, None] + 0.5
    order = np.arange(COEFFICIENTS)[None, :]
    matrix = np.sqrt(2 / MEL_BANDS) * np.cos(np.pi * band * order / MEL_BANDS)
    matrix[:, 0] /= np.sqrt(2)
    return np.asarray(matrix, dtype=np.float64)


def mfcc(clip: NDArray[np.float32]) -> NDArray[np.float32]:
    """MFCC [FRAMES, COEFFICIENTS] of one clip [CLIP_SAMPLES], samples in -1..1; raises ValueError for another length."""
    if clip.shape != (CLIP_SAMPLES,):
        raise ValueError(f"a clip has {CLIP_SAMPLES} samples, got shape {clip.shape}")
    frames = np.lib.stride_tricks.sliding_window_view(clip, WINDOW_SAMPLES)[::STEP_SAMPLES]
    spectrum = np.fft.rfft(frames * np.hanning(WINDOW_SAMPLES), FFT_SIZE)
    bands = (np.abs(spectrum) ** 2) @ _mel_filters()
    return np.asarray(np.log(bands + POWER_FLOOR) @ _dct(), dtype=np.float32)
