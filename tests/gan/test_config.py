"""Presets are what the paper and the issue of running on two cores say they are."""

from typing import Any

import pytest

from ex3cli.errors import UsageError
from ex3cli.gan.config import KINDS, GANConfig, canonical_kind


def test_wgan_gp_is_another_name_of_wgan() -> None:
    assert canonical_kind("wgan-gp") == canonical_kind("WGAN_GP") == canonical_kind("wgan") == "wgan"
    assert GANConfig.resolve(kind="wgan-gp") == GANConfig.resolve(kind="wgan")


@pytest.mark.parametrize(
    ("given", "meant"), [("wgn", "wgan"), ("dcgn", "dcgan"), ("wgan-clips", "wgan-clip")]
)
def test_a_misspelt_kind_is_answered_with_the_one_that_was_meant(given: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        canonical_kind(given)
    assert given in caught.value.cause
    assert meant in caught.value.remedy


def test_paper_has_the_settings_of_gulrajani_et_al() -> None:
    dcgan, wgan, clip = (GANConfig.resolve("paper", kind=kind) for kind in ("dcgan", "wgan", "wgan-clip"))
    for each in (dcgan, wgan, clip):
        assert (each.width, each.latent_dim, each.batch_size, each.iterations) == (64, 128, 64, 200_000)
        assert (each.network, each.conditional) == ("cifar", False)
    assert (dcgan.optimizer, dcgan.learning_rate, dcgan.beta1, dcgan.beta2, dcgan.critic_steps) == (
        "adam",
        2e-4,
        0.5,
        0.999,
        1,
    )
    assert (wgan.optimizer, wgan.learning_rate, wgan.beta1, wgan.beta2, wgan.critic_steps) == (
        "adam",
        1e-4,
        0.5,
        0.9,
        5,
    )
    assert (wgan.gp_weight, clip.weight_clip) == (10.0, 0.01)
    assert (clip.optimizer, clip.learning_rate, clip.critic_steps) == ("rmsprop", 5e-5, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_wide_and_narrow_differ_in_width_alone_and_from_quick_without_classes_in_the_network(
    kind: str,
) -> None:
    wide, narrow = (GANConfig.resolve(preset, kind=kind).to_dict() for preset in ("wide", "narrow"))
    assert {key for key in wide if wide[key] != narrow[key]} == {"preset", "width"}
    assert (wide["width"], narrow["width"], wide["latent_dim"], wide["network"]) == (64, 32, 100, "compact")
    quick = GANConfig.resolve("quick", kind=kind, conditional=False).to_dict()
    other = {"preset", "network", "latent_dim"} | ({"weight_clip"} if kind == "wgan-clip" else set())
    assert {key for key in quick if quick[key] != narrow[key]} == other


@pytest.mark.parametrize("preset", GANConfig.presets)
def test_what_is_given_wins_over_kind_and_preset(preset: str) -> None:
    config = GANConfig.resolve(preset, kind="wgan", critic_steps=3, conditional=True)
    assert (config.critic_steps, config.conditional, config.preset) == (3, True, preset)
    assert GANConfig.from_dict(config.to_dict()) == config


def test_only_a_training_shorter_than_its_preset_is_shortened() -> None:
    assert not GANConfig.resolve("paper", kind="wgan").is_shortened
    assert GANConfig.resolve("paper", kind="wgan", iterations=199_999).is_shortened
    assert not GANConfig.resolve("quick", kind="dcgan", iterations=10**6).is_shortened


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("iterations", 0),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("weight_clip", 0.0),
        ("lr_decay_fraction", 1.1),
        ("iterations", 10**11),
        ("batch_size", 10**5),
        ("width", 10**5),
        ("latent_dim", 10**5),
        ("critic_steps", 10**5),
    ],
)
def test_settings_out_of_range_are_refused_by_their_option(option: str, value: float) -> None:
    with pytest.raises(UsageError, match="--" + option.replace("_", "-")):
        GANConfig.resolve(**{option: value})


def test_batch_norm_is_refused_where_the_penalty_is_of_each_image() -> None:
    with pytest.raises(UsageError, match="per-image gradient penalty"):
        GANConfig.resolve(kind="wgan", critic_norm="batch")
    assert {GANConfig.resolve(each, kind="wgan").critic_norm for each in GANConfig.presets} == {
        "layer",
        "none",
    }
    assert GANConfig.resolve("paper", kind="wgan").critic_norm == "none"
    assert {GANConfig.resolve(each, kind="wgan-clip").critic_norm for each in GANConfig.presets} == {"batch"}
    with pytest.raises(UsageError, match="per-image gradient penalty"):
        GANConfig(kind="wgan")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kind": "dcgan", "gp_weight": 5.0}, "dcgan has no gradient penalty"),
        ({"kind": "wgan-clip", "gp_weight": 10.0}, "wgan-clip has no gradient penalty"),
        ({"kind": "wgan", "weight_clip": 0.02}, "wgan clips no weights"),
        ({"kind": "dcgan", "class_weight_clip": 0.02}, "dcgan clips no weights"),
        ({"kind": "wgan-clip", "beta1": 0.5}, "the optimizer is RMSProp"),
        ({"kind": "wgan", "optimizer": "rmsprop", "beta2": 0.5}, "the optimizer is RMSProp"),
        ({"kind": "wgan-clip", "conditional": False, "class_weight_clip": 0.2}, "the model is unconditional"),
        ({"kind": "dcgan", "conditional": False, "aux_weight": 0.2}, "the model is unconditional"),
        ({"kind": "dcgan", "preset": "paper", "aux_weight_g": 0.2}, "the model is unconditional"),
        ({"kind": "dcgan", "aux_weight_g": 0.2}, "without --aux-weight"),
        (
            {"kind": "wgan-clip", "aux_weight": 0.0, "aux_weight_g": 0.2},
            "without --aux-weight",
        ),
    ],
)
def test_what_would_not_be_read_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        GANConfig.resolve(**given)
    assert caught.value.cause.startswith("--" + list(given)[-1].replace("_", "-"))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "wgan", "gp_weight": 5.0},
        {"kind": "wgan-clip", "weight_clip": 0.02, "class_weight_clip": 0.2},
        {"kind": "wgan-clip", "optimizer": "adam", "beta1": 0.5},
        {"kind": "wgan-clip", "conditional": False, "weight_clip": 0.02, "aux_weight": 0.0},
        {"kind": "dcgan", "aux_weight": 0.1, "aux_weight_g": 0.2},
        {"kind": "wgan-clip", "aux_weight_g": 0.2},
        {"kind": "dcgan", "aux_weight_g": 0.0},
    ],
)
def test_what_is_read_is_taken(given: dict[str, Any]) -> None:
    stored = GANConfig.resolve(**given).to_dict()
    assert {name: stored[name] for name in given} == given


@pytest.mark.parametrize("given", [{"conditional": False}, {"aux_weight": 0.0}])
def test_a_preset_does_not_record_an_auxiliary_classifier_that_is_not_there(given: dict[str, Any]) -> None:
    config = GANConfig.resolve(kind="wgan-clip", **given)
    assert (config.has_auxiliary, config.aux_weight, config.aux_weight_g) == (
        False,
        0.0,
        0.0,
    )
    assert [kind for kind in KINDS if GANConfig.resolve(kind=kind).has_auxiliary] == ["wgan", "wgan-clip"]


@pytest.mark.parametrize(("network", "norm"), [("cifar", "none"), ("compact", "layer")])
def test_a_manifest_from_before_the_critics_norm_was_a_setting_means_what_it_meant(
    network: str, norm: str
) -> None:
    stored = GANConfig.resolve("paper", kind="wgan", network=network).to_dict()
    del stored["critic_norm"]
    assert GANConfig.from_dict(stored).critic_norm == norm
    assert GANConfig.from_dict({**stored, "kind": "dcgan"}).critic_norm == "batch"


def test_help_shows_the_default_of_each_kind() -> None:
    words = GANConfig.default_text()
    assert words["learning_rate"] == "dcgan 0.002, wgan 0.004, wgan-clip 0.002, lsgan 0.001"
    assert words["critic_norm"] == "dcgan batch, wgan layer, wgan-clip batch, lsgan batch"
    assert words["beta1"] == "dcgan 0.5, wgan 0.0, lsgan 0.5"  # RMSProp has none
    assert (words["class_weight_clip"], words["weight_clip"], words["gp_weight"]) == ("0.1", "0.01", "10.0")
    assert (words["batch_size"], words["iterations"]) == ("64", "6000")
    assert "kind" not in words
