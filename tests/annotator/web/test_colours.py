"""Tokens of the stylesheet: contrast in both themes, and labels apart for every kind of eye."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

CSS = (Path(__file__).parents[3] / "static" / "app.css").read_text()
PAIRS = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TOKENS = {name: (light, dark) for name, light, dark in PAIRS.findall(CSS)}
HUES = [f"hue-{number}" for number in range(12)]
# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
EYES = {
    "all cones": np.eye(3),
    "no red cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no green cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no blue cones": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour):
    channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    light, dark = sorted(
        (float(linear(each) @ (0.2126, 0.7152, 0.0722)) for each in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def oklab(rgb):
    to_cones = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return to_lab @ np.cbrt(to_cones @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
class TestContrast:
    @pytest.mark.parametrize("ground", ["page", "raised", "sunken", "hover"])
    @pytest.mark.parametrize("ink", ["text", "muted", "accent", "success", "warn", "danger"])
    def test_words_can_be_read(self, theme, ground, ink):
        assert contrast(TOKENS[ink][theme], TOKENS[ground][theme]) >= 4.5

    @pytest.mark.parametrize("kind", ["accent", "success", "warn", "danger"])
    def test_words_on_their_own_tint_can_be_read(self, theme, kind):
        tint = TOKENS[f"{kind}-soft"][theme]
        assert contrast(TOKENS[kind][theme], tint) >= 4.5
        assert contrast(TOKENS["text"][theme], tint) >= 4.5

    def test_words_on_the_accent_can_be_read(self, theme):
        assert contrast(TOKENS["on-accent"][theme], TOKENS["accent"][theme]) >= 4.5

    @pytest.mark.parametrize("ground", ["page", "raised", "hover"])
    @pytest.mark.parametrize("shape", [*HUES, "line-strong", "accent"])
    def test_shapes_stand_out(self, theme, ground, shape):
        assert contrast(TOKENS[shape][theme], TOKENS[ground][theme]) >= 3

    @pytest.mark.parametrize(("count", "apart"), [(8, 0.06), (12, 0.04)])
    @pytest.mark.parametrize("eye", EYES)
    def test_labels_look_different(self, theme, eye, count, apart):
        """Pair by pair in OKLab; the name and the key carry the meaning all the same."""
        seen = {hue: oklab(EYES[eye] @ linear(TOKENS[hue][theme])) for hue in HUES[:count]}
        near = {
            f"{a} {b}": round(float(np.linalg.norm(seen[a] - seen[b])), 3)
            for a, b in itertools.combinations(seen, 2)
            if np.linalg.norm(seen[a] - seen[b]) < apart
        }
        assert near == {}
