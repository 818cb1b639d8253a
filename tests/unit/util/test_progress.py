"""Bars."""

import io

import tqdm.notebook

from ipyparallel.util import progress


def test_outside_of_a_kernel_it_is_text():
    file = io.StringIO()
    with progress(total=2, desc="engines", unit="engine", file=file) as bar:
        bar.update(2)
    assert not isinstance(bar, tqdm.notebook.tqdm_notebook)
    assert "engines: 100%" in file.getvalue()
    assert "2/2" in file.getvalue()


def test_a_widget_on_request():
    with progress(range(3), widget=True, display=False) as bar:
        assert isinstance(bar, tqdm.notebook.tqdm_notebook)
        assert list(bar) == [0, 1, 2]


def test_a_terminal_gets_text_whatever_was_imported():
    import ipykernel.zmqshell  # noqa: F401  (tqdm.auto takes this for a notebook)

    with progress(total=1, file=io.StringIO()) as bar:
        assert not isinstance(bar, tqdm.notebook.tqdm_notebook)
