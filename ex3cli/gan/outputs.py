"""What a finished training leaves in its run folder."""

from ex3cli.artifacts.run import Run
from ex3cli.gan import pictures
from ex3cli.gan.figures import loss_figure, strip_figure
from ex3cli.gan.grids import Grids
from ex3cli.gan.session import LOSSES, Session
from ex3cli.gan.weights import GENERATOR_FILE

NETWORKS_FILE = "networks.safetensors"  # the newest weights of both players
LOSSES_FILE = "losses.safetensors"  # (iterations,) each
MILLISECONDS_A_FRAME = 600


def write_outputs(run: Run, session: Session, grids: Grids) -> None:
    """Write weights, the loss of every iteration, and the figures."""
    run.write_tensors(GENERATOR_FILE, session.average.generator.state_dict())
    players = {"generator": session.players.generator, "critic": session.players.critic}
    run.write_tensors(
        NETWORKS_FILE,
        {f"{name}.{key}": value for name, player in players.items() for key, value in player.state_dict().items()},
    )
    losses = dict(zip(LOSSES, session.losses.unbind(dim=1), strict=True))
    run.write_tensors(LOSSES_FILE, losses)
    config = session.config
    run.write_figure("figures/losses", loss_figure(config, {name: each.numpy() for name, each in losses.items()}), svg=True)
    history = grids.history()
    run.write_figure("figures/samples-through-training", strip_figure(config, history))
    frames = [pictures.enlarge(grid, 2) for _, grid in history]
    run.write_bytes("figures/samples-through-training.gif", pictures.to_gif(frames, MILLISECONDS_A_FRAME))
