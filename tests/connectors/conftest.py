from collections.abc import AsyncIterator

import pytest

from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient


@pytest.fixture
async def outbound() -> AsyncIterator[GuardedClient]:
    async with GuardedClient(OutboundSettings(allow=("127.0.0.0/8",), timeout_s=2)) as client:
        yield client
