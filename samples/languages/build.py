"""Pack the model into the archive that workflow.yaml names; the same files give the same bytes on any day."""

from pathlib import Path

from wfctl.archive.mar import write_mar

HERE = Path(__file__).parent


def main():
    path = write_mar(
        HERE / "identify.mar",
        model_name="identify",
        handler=f"{HERE / 'identify' / 'identify.py'}:predict",
        serialized_file=HERE / "identify" / "weights.pt",
        extra_files=[HERE / "identify" / "letters.py"],
        overwrite=True,
    )
    print(f"wrote {path.name} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
