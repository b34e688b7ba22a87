"""scikit-learn's own checks, and what the estimators are for."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import genelift

ESTIMATORS = [
    genelift.SigmoidAutoencoder((8, 3, 8), epochs=2, device="cpu"),
    genelift.LandmarkSelector(device="cpu"),
    genelift.GeneCompleter(device="cpu"),
]


# What is not as scikit-learn has it, and why.
EXPECTED = {"check_regressor_multioutput": "predictions are float32, as they are computed; the check wants float64"}


def expected(estimator):
    return EXPECTED if isinstance(estimator, genelift.GeneCompleter) else {}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
@pytest.mark.filterwarnings("ignore::genelift.GeneliftWarning")
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


def test_half_of_the_features_are_landmarks_and_they_are_the_commands(small):
    selector = genelift.LandmarkSelector(device="cpu").fit(small)
    assert selector.transform(small).shape == (60, 20) and selector.get_support().sum() == 20
    command = genelift.select(small, 20, device="cpu")
    assert [f"gene_{i + 1}" for i in selector.landmarks_] == command.genes
    assert selector.ranking_[selector.landmarks_[0]] == 1


def test_a_pipeline_completes_profiles(small):
    frame = pd.DataFrame(small, columns=[f"g{i}" for i in range(40)])
    selector = genelift.LandmarkSelector(8, device="cpu").set_output(transform="pandas")
    measured = selector.fit_transform(frame)
    rest = frame.drop(columns=measured.columns)
    completer = genelift.GeneCompleter("linear", device="cpu")
    assert cross_val_score(completer, measured, rest, cv=3).mean() > 0.8
    pipeline = make_pipeline(clone(selector).set_output(transform="default"), completer).fit(frame, rest)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict(frame), pipeline.predict(frame))


def test_several_targets_come_back_as_they_were_given(small):
    completer = genelift.GeneCompleter("linear", device="cpu").fit(small[:, :5], small[:, 5:])
    found = completer.predict(small[:, :5])
    assert found.shape == (60, 35) and found.dtype == np.float32
    one = genelift.GeneCompleter("linear", device="cpu").fit(small[:, :5], small[:, 7]).predict(small[:, :5])
    assert one.shape == (60,) and np.corrcoef(one, small[:, 7])[0, 1] > 0.8


def test_the_autoencoder_is_the_commands(small):
    encoder = genelift.SigmoidAutoencoder((8, 3, 8), epochs=2, device="cpu", random_state=5).fit(small)
    model = genelift.train(small, hidden=[8, 3, 8], epochs=2, device="cpu", seed=5)
    assert encoder.model_.read_bytes() == model.read_bytes()
    np.testing.assert_array_equal(encoder.transform(small), genelift.embed(model, small, device="cpu").to_numpy())
    assert encoder.reconstruct(small).shape == small.shape and len(encoder.history_) == 2
    assert list(encoder.get_feature_names_out()) == [f"sigmoidautoencoder{i}" for i in range(3)]
