#!/usr/bin/env python3
"""Writes mel.json: what librosa (0.11) makes of a signal that mel_picture_test.cpp makes, too. Needs librosa."""
import json
import pathlib

import librosa
import numpy as np

SR, N_FFT, HOP, MELS, FRAMES, TOP_DB = 8000, 64, 16, 12, 16, 80

n = np.arange(FRAMES * HOP - 1)
signal = 0.5 * np.sin(0.002 * n * n) * np.exp(-0.01 * n) + 1e-3 * np.cos(2.5 * n)  # a chirp that fades, and a tone

stft = librosa.stft(signal, n_fft=N_FFT, hop_length=HOP)
power = librosa.feature.melspectrogram(y=signal, sr=SR, n_fft=N_FFT, hop_length=HOP, n_mels=MELS)
decibels = librosa.power_to_db(power, ref=np.max, top_db=TOP_DB)
# diffusers 0.42, Mel.audio_slice_to_image
picture = (((decibels + TOP_DB) * 255 / TOP_DB).clip(0, 255) + 0.5).astype(np.uint8)
filters = librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=MELS, dtype=np.float64)

def rows(array, digits=9):
    return [[float(f"%.{digits}g" % x) for x in row] for row in array]


out = {
    "librosa": librosa.__version__,
    "filters": rows(filters),
    "stft_real": rows(stft.T[:3].real),
    "stft_imag": rows(stft.T[:3].imag),
    "picture": picture.tolist(),
}
pathlib.Path(__file__).with_name("mel.json").write_text(json.dumps(out) + "\n")
