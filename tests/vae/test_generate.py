import numpy as np
import pytest
import torch

from ex3cli.datasets import registry
from ex3cli.errors import UsageError
from ex3cli.seeding import forked_global_rng
from ex3cli.vae import figures, generate
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.generate import choose_points, place
from ex3cli.vae.networks import VAE


def build(**changes: object) -> VAE:
    with forked_global_rng(0):
        return VAE(VAEConfig.resolve("paper", hidden=(16,), latent_dim=5, **changes)).eval()


def test_image_i_of_a_seed_does_not_depend_on_the_count() -> None:
    model = build()
    assert torch.equal(generate.sample(model, 3, 7), generate.sample(model, 9, 7)[:3])
    assert not torch.equal(generate.sample(model, 3, 7), generate.sample(model, 3, 8))


def test_a_reconstruction_is_the_decoded_mean() -> None:
    model, images = build(), registry.load("digits").test_images[:4]
    oracle = model.decoder(model.encoder({"pixels": images.flatten(1).float() / 255}).mu)["pixels"].sigmoid()
    assert torch.equal(
        generate.reconstruct(model, images), (255 * oracle).round().to(torch.uint8).view(4, 28, 28)
    )


def test_a_traversal_moves_one_dimension_and_shows_the_liveliest_first() -> None:
    model = build()
    with torch.no_grad():
        model.decoder.body[0].weight[:, 2] *= 50  # z[2] says much
        model.decoder.body[0].weight[:, 4] = 0  # z[4] says nothing
    base = torch.tensor([[0.3, -0.1, 0.0, 1.0, 2.0]])
    chosen, values, images = generate.traverse(model, base, 5, 7)
    assert chosen[0] == 2
    assert chosen[-1] == 4
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    z = base.clone()
    z[0, 2] = -2
    assert torch.equal(images[0, 1], generate.decode(model, z)[0])
    assert len(generate.traverse(model, base, 99, 3)[0]) == 5


def test_a_model_of_edges_alone_draws_no_pixels() -> None:
    with pytest.raises(UsageError, match="decodes edges only"):
        generate.check_draws_pixels(build(inputs=("edges",)))


def test_the_map_places_like_with_like_and_few_points_too() -> None:
    labels = torch.arange(50).numpy() % 2
    features = (torch.randn(50, 8).numpy() + 20 * labels[:, None]).astype("float32")
    places = place(features, seed=0)
    assert places.shape == (50, 2)
    gap = abs(places[labels == 0].mean(axis=0) - places[labels == 1].mean(axis=0)).max()
    assert gap > places[labels == 0].std()
    assert place(features[:5], seed=0).shape == (5, 2)


def test_the_map_is_of_random_images_and_of_all_if_there_are_fewer() -> None:
    chosen = choose_points(1000, 50, seed=0)
    assert len(set(chosen)) == 50
    assert chosen.min() < 200
    assert chosen.max() > 800
    assert (chosen == np.sort(chosen)).all()
    assert choose_points(5, 50, seed=0).tolist() == [0, 1, 2, 3, 4]


def test_no_name_on_the_map_hides_another() -> None:
    places = np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 0.0], [5.0, 0.01], [9.0, 9.0], [0.0, 10.0]])
    extent = np.array([10.0, 10.0])
    moved = figures.side_by_side(places, extent) / extent
    for i in range(6):
        for j in range(i):
            apart = abs(moved[i] - moved[j])
            assert apart[0] >= figures.NAME_WIDTH or apart[1] >= 0.99 * figures.NAME_HEIGHT
    assert np.array_equal(moved[3:], places[3:] / extent), "the others stay"
    assert np.array_equal(moved[:, 0], places[:, 0] / extent[0])


def test_the_map_names_what_was_placed() -> None:
    points, labels = torch.randn(20, 2).numpy(), torch.arange(20).numpy() % 2
    figure = figures.feature_map(points, labels, ("a", "b"), "posterior means")
    assert figure.axes[0].get_title().startswith("Posterior means of 20 test images")


def test_figures_have_a_panel_for_each_image() -> None:
    images = torch.randint(0, 256, (3, 2, 28, 28), dtype=torch.uint8).numpy()
    names = ["shirt", "$bag", "coat"]
    below = [axes.get_xlabel() for axes in figures.samples(images[:, 0], names).axes if axes.images]
    assert below == ["shirt", r"\$bag", "coat"]
    assert len(figures.reconstructions(images, images, ("a", "b/c", "d")).axes) == 12
    assert len([axes for axes in figures.samples(images[:, 0], names).axes if axes.images]) == 3
    assert len(figures.traversal([4, 1, 0], [-1.0, 1.0], images, "a sample").axes) == 6
