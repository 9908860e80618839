"""Fixtures: a deployment that is ended and cleared away, or left with its logs where a test failed."""

import pytest

from deployment import Deployment


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.went_well = outcome.get_result().passed


@pytest.fixture
def deploy(request):
    """deploy(...) makes a Deployment, not started yet."""
    made = []

    def make(*arguments, **options):
        made.append(Deployment(*arguments, **options))
        return made[-1]

    yield make
    for deployment in made:
        deployment.close(getattr(request.node, "went_well", False))
