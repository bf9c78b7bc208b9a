import pytest

from tests.segment.official_validators.validators import Validators, install_validators


@pytest.fixture(scope="session")
def validators() -> Validators:
    return install_validators()
