"""How good speech still is, by ITU-T P.862 (narrowband) or P.862.2 (wideband): `score.py REFERENCE DEGRADED`, two mono WAVs
with 16 bits at 8 or 16 kHz. Prints the score alone. Needs the packages pesq and numpy."""

import sys
import wave

import numpy
import pesq


def read(path):
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path
        return file.getframerate(), numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


(rate, reference), (other, degraded) = read(sys.argv[1]), read(sys.argv[2])
assert rate == other, (rate, other)
print(pesq.pesq(rate, reference, degraded, "wb" if rate == 16000 else "nb"))
