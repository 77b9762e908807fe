from hypothesis import given

from engine.records.run import RunRecord
from tests.builders.records import PATIENT, kws_record, layers, records


@given(records())
@PATIENT
def test_random_records_survive_a_round_trip(record):
    assert RunRecord.model_validate_json(record.model_dump_json(by_alias=True)) == record


@given(layers())
@PATIENT
def test_random_layers_partition_their_instructions(layer):
    counted = layer.counters.model_dump()
    classes = sum(v for k, v in counted.items() if k.endswith("_instructions") and not k.startswith("mve_"))
    assert classes == layer.counters.instructions
    assert layer.stack.cycles == layer.cycles


def test_kws_has_the_thirteen_operators_of_the_model():
    record = kws_record()
    assert [x.op for x in record.layers][-4:] == ["AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert [x.index for x in record.layers] == list(range(13))
    assert record.macs == 320_000 + 4 * (72_000 + 512_000) + 768
    assert kws_record(kernels="reference").cycles.warm > 2 * record.cycles.warm
