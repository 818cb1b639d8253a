"""dill pickles what cloudpickle does not know; functions and classes travel as ever."""

import builtins
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from ipyparallel.serialize import use_cloudpickle, use_dill, use_pickle
from ipyparallel.serialize.pickler import deserialize, serialize
from tests.unit.serialize import test_pickler as usual


@pytest.fixture(autouse=True)
def dill():
    use_dill()


def test_what_cloudpickle_cannot_pickle():
    lock = threading.Lock()
    assert deserialize(serialize({"lock": [lock]}))["lock"][0].locked() is False
    for restore in (use_cloudpickle, use_pickle):
        use_dill()
        restore()
        with pytest.raises(TypeError, match="cannot pickle"):
            serialize(lock)


test_the_namespace_of_the_engine_is_behind = usual.test_the_namespace_of_the_engine_is_behind
test_globals_of_the_client_do_not_travel = usual.test_globals_of_the_client_do_not_travel
test_a_recursive_closure_calls_itself = usual.test_a_recursive_closure_calls_itself
test_closures_that_call_each_other = usual.test_closures_that_call_each_other
test_instances_keep_their_state = usual.test_instances_keep_their_state
test_classes_that_refer_to_themselves = usual.test_classes_that_refer_to_themselves
test_a_cached_function_arrives = usual.test_a_cached_function_arrives
test_signature_and_description_arrive = usual.test_signature_and_description_arrive
test_data_arrives_equal = usual.test_data_arrives_equal
test_memoryviews_arrive = usual.test_memoryviews_arrive
test_dataclasses_and_enums_and_named_tuples_arrive = (
    usual.test_dataclasses_and_enums_and_named_tuples_arrive
)


def test_arrays_travel_out_of_band():
    array = np.arange(1000.0)
    _, buffer = serialize([array])
    assert np.shares_memory(np.frombuffer(buffer), array)
    frame = pd.DataFrame({"a": array})
    pd.testing.assert_frame_equal(deserialize(serialize(frame)), frame)


def test_dill_that_is_not_there_is_said(monkeypatch):
    use_cloudpickle()
    real = builtins.__import__

    def without_dill(name, *args, **kwargs):
        if name == "dill":
            raise ModuleNotFoundError("No module named 'dill'", name="dill")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "ipyparallel.serialize.dill_pickler", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_dill)
    with pytest.raises(ImportError, match="pip install dill"):
        use_dill()
