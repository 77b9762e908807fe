import pytest

from engine.predict.by_operator import hold_out, prices
from engine.records.run import Layer
from tests.builders.records import make_layer, make_record, make_stack


def layer(index: int, op: str, macs: int, cycles: int) -> Layer:
    return make_layer(index, op=op, stack=make_stack(mac=cycles), macs=macs, output_shape=(1, 10))


def test_prices_are_ratios_of_sums_with_extremes() -> None:
    record = make_record([layer(0, "CONV_2D", 100, 200), layer(1, "CONV_2D", 300, 1200), layer(2, "SOFTMAX", 0, 50)])
    conv, softmax = prices([record])
    assert (conv.op, conv.typical, conv.low, conv.high) == ("CONV_2D", 3.5, 2.0, 4.0)
    assert (softmax.per_mac, softmax.typical) == (False, 5.0)


def test_a_model_is_predicted_from_others_only() -> None:
    a = make_record([layer(0, "CONV_2D", 100, 200)], model="a", id="a")
    b = make_record([layer(0, "CONV_2D", 100, 400)], model="b", id="b")
    first, second = hold_out([a, b])
    assert first.prediction.cycles == pytest.approx(400)
    assert second.prediction.cycles == pytest.approx(200)
    assert first.error == pytest.approx(400 / a.cycles.warm - 1)


def test_an_operator_without_a_price_is_no_prediction() -> None:
    a = make_record([layer(0, "CONV_2D", 100, 200)], model="a", id="a")
    b = make_record([layer(0, "ADD", 0, 40)], model="b", id="b")
    first, _ = hold_out([a, b])
    assert first.error is None
    assert first.prediction.missing == ("CONV_2D",)


def test_other_setups_say_nothing() -> None:
    a = make_record([layer(0, "CONV_2D", 100, 200)], model="a", id="a")
    b = make_record([layer(0, "CONV_2D", 100, 200)], model="b", id="b", board="other")
    assert hold_out([a, b]) == ()
