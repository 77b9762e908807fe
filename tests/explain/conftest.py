from tests.targets.conftest import make

__all__ = ["make"]
