"""Every engine passes the one contract."""

import pytest

from tests.contracts.source_contract import SourceContract
from tests.monitor.sources.warehouses import Files, Postgres, SQLite, write_csv, write_hive, write_json, write_parquet


class TestParquet(SourceContract):
    """DuckDB over Parquet files."""

    @pytest.fixture
    def warehouse(self, tmp_path):
        """Two files per table."""
        return Files(tmp_path, write_parquet, "*.parquet")


class TestHive(SourceContract):
    """DuckDB over Parquet in folders by day."""

    @pytest.fixture
    def warehouse(self, tmp_path):
        """A folder per day."""
        return Files(tmp_path, write_hive, "**/*.parquet")


class TestCSV(SourceContract):
    """DuckDB over CSV."""

    @pytest.fixture
    def warehouse(self, tmp_path):
        """One file per table."""
        return Files(tmp_path, write_csv, "*.csv")


class TestJSON(SourceContract):
    """DuckDB over JSON lines."""

    @pytest.fixture
    def warehouse(self, tmp_path):
        """One file per table."""
        return Files(tmp_path, write_json, "*.ndjson")


class TestSQLite(SourceContract):
    """SQLAlchemy over SQLite."""

    @pytest.fixture
    def warehouse(self, tmp_path):
        """One database per table."""
        return SQLite(tmp_path)


class TestPostgreSQL(SourceContract):
    """SQLAlchemy over a real PostgreSQL."""

    @pytest.fixture
    def warehouse(self, postgres_url, request):
        """One schema per table."""
        return Postgres(postgres_url, request.node.name)
