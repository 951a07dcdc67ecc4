import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

from ex3cli.datasets import registry
from ex3cli.errors import ArtifactError
from ex3cli.vae import encoding, features
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.estimator import VAEFeatures
from ex3cli.vae.networks import VAE

DATA = registry.load("digits")
IMAGES = DATA.train_images.flatten(1).numpy()[:200]
LABELS = DATA.train_labels.numpy()[:200]
CONFIG = VAEConfig.resolve("edges", width=4, hidden=(16,), latent_dim=4, pca_components=20)


@pytest.fixture
def transformer(store, new_run) -> VAEFeatures:  # type: ignore[no-untyped-def]
    """A run of an untrained model: what the features are worth is another test's matter."""
    run = new_run(
        category=("vae", "digits"),
        command="vae train",
        config={"dataset": "digits", "seed": 0, **CONFIG.to_dict()},
    )
    model = VAE(CONFIG).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("variance"):  # NaN until it is learned
            buffer.fill_(1.0)
    encoding.save_features(run, model, DATA, CONFIG, seed=0)
    run.finish({})
    return VAEFeatures(run.path.name, dataset="digits", artifacts=store.root)


def test_it_gives_the_runs_own_features(transformer: VAEFeatures) -> None:
    from ex3cli.runs.store import Store

    stored = features.load_features(
        Store(Path(transformer.artifacts)).open(transformer.run, ("vae", "digits"))
    )
    assert np.allclose(transformer.fit_transform(IMAGES), stored.train[:200], atol=1e-4)
    assert transformer.n_features_in_ == 784


def test_it_works_in_pipelines_cross_validation_and_searches(transformer: VAEFeatures) -> None:
    pipeline = make_pipeline(transformer, SVC())
    assert cross_val_score(pipeline, IMAGES, LABELS, cv=3).mean() > 0.5
    search = GridSearchCV(pipeline, {"svc__C": [1.0, 10.0]}, cv=2).fit(IMAGES, LABELS)
    assert search.best_score_ > 0.5
    copied = clone(pipeline)
    assert copied.named_steps["vaefeatures"].get_params() == transformer.get_params()


def test_its_columns_have_names_for_pandas(transformer: VAEFeatures) -> None:
    with pytest.raises(NotFittedError):
        transformer.get_feature_names_out()
    names = transformer.fit(IMAGES).get_feature_names_out()
    assert names.tolist() == [f"vaefeatures{place}" for place in range(20)]
    assert len(names) == transformer.transform(IMAGES[:2]).shape[1]
    again = pickle.loads(pickle.dumps(transformer))
    assert again.get_feature_names_out().tolist() == names.tolist()
    transformer.set_output(transform="default")  # there is such a method only where there are names


def test_a_pickled_one_holds_no_weights_and_reads_them_anew(transformer: VAEFeatures) -> None:
    fitted = transformer.fit(IMAGES)
    stored = pickle.dumps(fitted)
    assert len(stored) < 2000
    assert np.array_equal(pickle.loads(stored).transform(IMAGES[:3]), fitted.transform(IMAGES[:3]))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.zeros((3, 100)), "28 x 28"),
        (np.zeros((3, 28, 28)), r"shape \(3, 28, 28\): reshape it to \(n, 784\)"),
        (np.full((3, 784), -1.0), "grey levels from 0 to 255"),
        (np.full((3, 784), 0.5), "multiply by 255"),
        (np.full((3, 784), np.nan), "NaN"),
    ],
)
def test_what_is_no_image_is_refused(transformer: VAEFeatures, wrong: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        transformer.fit(wrong)


def test_unfitted_and_missing_runs_are_named(transformer: VAEFeatures) -> None:
    with pytest.raises(NotFittedError):
        transformer.transform(IMAGES)
    with pytest.raises(ArtifactError, match="no run '0009'"):
        VAEFeatures("0009", dataset="digits", artifacts=transformer.artifacts).fit(IMAGES)


def test_scikit_learns_own_checks_that_apply(transformer: VAEFeatures) -> None:
    """Checks that bring their own X do not apply: it has 1 to 20 columns, and an image has 784."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(transformer, on_fail=None, on_skip=None)
    failed = {each["check_name"]: str(each["exception"]) for each in results if each["status"] == "failed"}
    others = {name: said for name, said in failed.items() if "28 x 28" not in said and "784" not in said}
    assert not others
    passed = {each["check_name"] for each in results if each["status"] == "passed"}
    assert passed >= {
        "check_estimator_cloneable",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_repr",
    }
