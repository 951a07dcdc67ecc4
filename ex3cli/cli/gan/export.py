"""`ex3 gan export`: a trained generator for other programs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.gan.select import Kind, asked_for, failure_note
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, UsageError

app = typer.Typer()


@command(
    app,
    "export",
    common=("artifacts", "dataset", "run"),
    examples=(
        "ex3 gan export --kind wgan --onnx wgan.onnx",
        "ex3 gan export --kind dcgan --run 0001-quick --onnx dcgan.onnx",
    ),
)
def export(
    context: Context,
    onnx: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="ONNX file; inputs: z and labels; output: images in [−1, 1]. Requires ex3cli\\[onnx].",
            rich_help_panel="Output",
        ),
    ],
    kind: Kind = None,
) -> Result:
    """Write a trained generator as an ONNX model, and compare its images with those of torch."""
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.io import load_generator
    from ex3cli.gan.onnx_export import TOLERANCE, largest_difference, to_onnx
    from ex3cli.runs.files import write_atomically

    names = spec(context.dataset).class_names
    kind, run = asked_for(context, kind)
    if onnx.is_dir():
        raise UsageError(f"--onnx {onnx} is a folder", "name a file, such as generator.onnx")
    generator = load_generator(run, len(names))
    metadata = {
        "kind": kind,
        "dataset": context.dataset,
        "class_names": json.dumps(names),
        "run": run.name,
        "run_digest": run.manifest.digest,
        "z": "independent numbers from the standard normal distribution",
        "images": "from -1 (black) to 1 (white)",
    }
    try:
        model = to_onnx(generator, metadata)
        difference = largest_difference(model, generator)
    except ImportError as error:
        raise UsageError(
            f"--onnx requires onnx, onnxscript and onnxruntime ({error})",
            "install them: pip install 'ex3cli[onnx]'",
        ) from error
    if not difference <= TOLERANCE:
        raise ArtifactError(
            f"the ONNX model draws other images than torch: a pixel differs by {difference:.2g}",
            "use other versions of torch and onnxruntime",
        )
    write_atomically(onnx, model)
    inputs = ["z", "labels"] if generator.classes else ["z"]
    document = {
        "kind": kind,
        "dataset": context.dataset,
        "run": run.name,
        "path": onnx,
        "inputs": inputs,
        "latent_dim": generator.latent_dim,
        "largest_difference": difference,
    }
    size = f"z (n, {generator.latent_dim})" + (" and labels (n,)" if generator.classes else "")
    shown = f"{kind} from run {run.name}: {size} in, images (n, 1, 28, 28) out"
    checked = f"no pixel differs by more than {difference:.1g} from torch's, of a range of 2"
    failed = failure_note(run)
    return Result(document=document, show=[shown, checked, *([failed] if failed else [])], files=[onnx])
