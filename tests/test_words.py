"""Shares and layers as people read them."""

from __future__ import annotations

import pytest

from engine.words import change_text, layer_name, layer_title, name_title, share_text


def test_a_percent_sign_stands_apart_and_a_minus_is_one() -> None:
    assert (share_text(0.694), share_text(0.694, 0), share_text(-0.05)) == ("69.4 %", "69 %", "−5.0 %")
    assert (change_text(0.05), change_text(-0.051, 0), change_text(0.0), change_text(-0.0001)) == (
        "+5.0 %",
        "−5 %",
        "0.0 %",
        "0.0 %",
    )


@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX", "AVERAGE_POOL_2D"])
def test_a_layer_has_one_title_whatever_it_is_made_from(op: str) -> None:
    title = layer_title(op, 3)
    assert name_title(layer_name(op, 3)) == name_title(f"3 {layer_name(op, 3)}") == title
    assert layer_title("CONV_2D", 0) == "conv2d #0"


@pytest.mark.parametrize("name", ["glue", "Ünknown", "3 glue", ""])
def test_what_names_no_layer_stays_as_it_is(name: str) -> None:
    assert name_title(name) == name
