"""Pack the two models into the archives that workflow.yaml names; the same files give the same bytes on any day."""

from pathlib import Path

from wfctl.archive.mar import write_mar

HERE = Path(__file__).parent


def main():
    cnn, mlp = HERE / "cnn", HERE / "mlp"
    written = [
        write_mar(
            HERE / "digits_cnn.mar",
            model_name="digits_cnn",
            handler=cnn / "cnn_handler.py",
            model_file=cnn / "digits_cnn.py",
            serialized_file=cnn / "cnn_weights.pt",
            overwrite=True,
        ),
        write_mar(
            HERE / "digits_mlp.mar",
            model_name="digits_mlp",
            handler=mlp / "mlp_handler.py",
            serialized_file=mlp / "mlp.pt",
            overwrite=True,
        ),
    ]
    for path in written:
        print(f"wrote {path.name} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
