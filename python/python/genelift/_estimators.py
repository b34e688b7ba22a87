"""Estimators of scikit-learn on top of the functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, RegressorMixin, TransformerMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import _functions as functions
from ._data import single


def seed(random_state: Any) -> int:
    """A seed of the command's: a number as it is, else one drawn."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


class Base(BaseEstimator):
    """What all of them have: a device, a seed, and the command's other options."""

    device: str
    random_state: Any
    options: dict[str, Any] | None

    def _options(self, **named: Any) -> dict[str, Any]:
        """The options of a call. What is None is the command's default."""
        given = {**named, "device": self.device, **(self.options or {})}
        return {key: value for key, value in given.items() if value is not None}

    def _checked(self, X: Any, reset: bool, least: int = 2) -> Any:
        return validate_data(self, X, reset=reset, dtype=np.float32, order="C", ensure_min_samples=least if reset else 1)


class SigmoidAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Base):
    """The autoencoder of ``genelift train`` as a transformer: ``transform`` gives the bottleneck.

    Parameters are the command's; those that are None have its defaults. Everything else goes into ``options``, a dict of
    keyword arguments of :func:`genelift.train`.

    Fitted: ``model_``, the :class:`genelift.Model`; ``history_``, a row for each epoch.

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> genelift.SigmoidAutoencoder(hidden=(8, 3, 8), epochs=2, device="cpu").fit_transform(x).shape
    (40, 3)
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (500, 100, 500),
        *,
        epochs: int | None = None,
        batch: int | None = None,
        learning_rate: float | None = None,
        device: str = "auto",
        random_state: Any = 0,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state
        self.options = options

    def fit(self, X: Any, y: Any = None) -> SigmoidAutoencoder:
        """Trains on X, samples × features."""
        X = self._checked(X, reset=True)
        named = {key: getattr(self, key) for key in ("epochs", "batch", "learning_rate")}
        self.model_ = functions.train(
            X, progress=False, **self._options(hidden=list(self.hidden), seed=seed(self.random_state), **named)
        )
        self.history_ = self.model_.history
        self._n_features_out = min(self.model_.hidden)
        return self

    def transform(self, X: Any) -> np.ndarray[Any, Any]:
        """Activations of the bottleneck: samples × neurons, float32."""
        check_is_fitted(self)
        table = functions.embed(self.model_, self._checked(X, reset=False), progress=False, device=self.device)
        return table.to_numpy(dtype=np.float32)

    def reconstruct(self, X: Any) -> np.ndarray[Any, Any]:
        """The network's output, in the units of X: samples × features, float32."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        return functions.reconstruct(self.model_, X, progress=False, device=self.device).to_numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # float32, whatever comes in
        return tags


class LandmarkSelector(SelectorMixin, Base):
    """The selection of ``genelift select`` as a feature selector.

    ``n_landmarks`` is half of the features if not given. ``strategy`` and ``options`` are the command's; the strategy ``top``
    wants scores, which there are none of here.

    Fitted: ``landmarks_``, the features by rank, best first; ``ranking_``, each feature's rank from 1, 0 where it is none.

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> genelift.LandmarkSelector(4, device="cpu").fit_transform(x).shape
    (40, 4)
    """

    def __init__(
        self,
        n_landmarks: int | None = None,
        *,
        strategy: str | None = None,
        device: str = "auto",
        random_state: Any = 0,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.n_landmarks = n_landmarks
        self.strategy = strategy
        self.device = device
        self.random_state = random_state
        self.options = options

    def fit(self, X: Any, y: Any = None) -> LandmarkSelector:
        """Chooses among the features of X, samples × features."""
        X = self._checked(X, reset=True)
        features = X.shape[1]
        n = max(1, features // 2) if self.n_landmarks is None else self.n_landmarks
        options = self._options(strategy=self.strategy, seed=seed(self.random_state))
        chosen = functions.select(X, n, progress=False, **options)
        # features of an array are called gene_1, gene_2, …
        self.landmarks_ = np.array([int(name.rsplit("_", 1)[1]) - 1 for name in chosen.genes])
        self.ranking_ = np.zeros(features, dtype=int)
        self.ranking_[self.landmarks_] = np.arange(1, len(self.landmarks_) + 1)
        return self

    def _get_support_mask(self) -> np.ndarray[Any, Any]:
        check_is_fitted(self)
        return self.ranking_ > 0


class GeneCompleter(RegressorMixin, Base):
    """The predictor of ``genelift fit`` as a regressor: ``fit(landmarks, targets)``, ``predict(landmarks)``.

    ``method`` (kernel, linear, mlp, knn, best) and ``options`` are the command's. Unlike there no samples are held out after the fit
    unless ``options={"held_out": 5}``: what is held out is scikit-learn's to say.

    Fitted: ``predictor_``, the :class:`genelift.Predictor`.

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> genelift.GeneCompleter(method="linear", device="cpu").fit(x[:, :4], x[:, 4:]).predict(x[:5, :4]).shape
    (5, 8)
    """

    def __init__(
        self,
        method: str | None = None,
        *,
        device: str = "auto",
        random_state: Any = 0,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.method = method
        self.device = device
        self.random_state = random_state
        self.options = options

    def fit(self, X: Any, y: Any) -> GeneCompleter:
        """Learns y, samples × targets (or one target), from X, samples × landmarks."""
        X, y = validate_data(
            self, X, y, dtype=np.float32, order="C", ensure_min_samples=3, multi_output=True, y_numeric=True
        )
        self._one = y.ndim == 1
        targets = single(y.reshape(len(X), -1))
        both = np.concatenate([X, targets], axis=1)
        names = [f"gene_{i + 1}" for i in range(both.shape[1])]
        self._targets = names[X.shape[1] :]
        options = self._options(method=self.method, seed=seed(self.random_state))
        self.predictor_ = functions.fit(
            both, names[: X.shape[1]], progress=False, **{"held_out": 0, **options}
        )
        return self

    def predict(self, X: Any) -> np.ndarray[Any, Any]:
        """The targets, float32, in the shape that they were learned in."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        completed = functions.predict(self.predictor_, X, progress=False, device=self.device)
        found = completed[self._targets].to_numpy()
        return found[:, 0] if self._one else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
