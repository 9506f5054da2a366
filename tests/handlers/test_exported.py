import pytest
import torch

from wfctl.handlers.loading.exported import load_pt2, load_shared_object
from wfctl.handlers.unloadable import UnloadableModelError

CPU = torch.device("cpu")


class Doubles(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        return x * self.factor


@pytest.fixture
def program(tmp_path):
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(
        torch.export.export(Doubles().eval(), (torch.ones(4, 2),), dynamic_shapes={"x": {0: batch}}),
        tmp_path / "model.pt2",
    )
    return str(tmp_path / "model.pt2")


# Some releases of torch warn once of the buffer that they themselves read the program from.
@pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning")
def test_an_exported_program_answers_batches_of_any_size(program):
    model = load_pt2(program, CPU)
    with torch.inference_mode():
        assert model(torch.ones(1, 2)).tolist() == [[2, 2]]
        assert model(torch.ones(3, 2)).sum() == 12


def test_what_may_run_code_while_it_is_read_is_for_the_trusting(program):
    with pytest.raises(RuntimeError, match=r'"model\.pt2" may run code of the archive .* --trust'):
        load_pt2(program, CPU, is_trusted=False)
    with pytest.raises(RuntimeError, match=r'"model\.so" may run code of the archive .* --trust'):
        load_shared_object("/nowhere/model.so", "cpu", CPU, is_trusted=False)


def test_a_file_that_is_no_program_is_refused(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"no program")
    with pytest.raises(UnloadableModelError, match=r'"model\.pt2" is no exported program: '):
        load_pt2(str(tmp_path / "model.pt2"), CPU)


def test_a_library_that_is_none_is_named(tmp_path):
    (tmp_path / "model.so").write_bytes(b"no library")
    with pytest.raises(UnloadableModelError, match=r'"model\.so" cannot be loaded: .*file too short'):
        load_shared_object(str(tmp_path / "model.so"), "cpu", CPU)
