"""What docstrings show is what happens; stubs and names fit what there is."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import genelift

MODULES = [name for _, name, _ in pkgutil.iter_modules(genelift.__path__) if not name.startswith("_genelift")]


@pytest.mark.parametrize("module", ["", *MODULES])
def test_examples_run(module):
    found = doctest.testmod(importlib.import_module(f"genelift.{module}".rstrip(".")))
    assert found.failed == 0


def test_everything_public_says_what_it_is():
    for name in genelift.__all__:
        value = getattr(genelift, name)
        assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        genelift.trian  # noqa: B018


def test_every_name_for_type_checkers_is_one():
    text = inspect.getsource(genelift).split("if TYPE_CHECKING:")[1]
    assert all(f" {name}," in text or f" {name}\n" in text for name in genelift.__all__)
