from tests.settings.conftest import environment

__all__ = ["environment"]
