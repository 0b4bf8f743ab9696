"""Servers: those that SKALD_TEST_DATABASE_URL and SKALD_TEST_KAFKA_BROKERS name. Without them the tests that need one are skipped."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

PARTICIPANTS = Path(__file__).parents[2]
"""Where the Go SDK is, and the files that both read."""


def server(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        pytest.skip(f"needs {name}")
    return value


@pytest.fixture(scope="session")
def database() -> str:
    return server("SKALD_TEST_DATABASE_URL")


@pytest.fixture(scope="session")
def brokers() -> str:
    return server("SKALD_TEST_KAFKA_BROKERS")


@pytest.fixture
def schema(database: str) -> Iterator[str]:
    """A schema's name of the test's own; what it holds is dropped."""
    name = "py_" + uuid.uuid4().hex[:12]
    yield name
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
