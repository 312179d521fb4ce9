"""Every row of the tables against a live service."""

import pytest

from seeds import rows


@pytest.mark.parametrize("row", rows.load(), ids=str)
def test_row(services, row):
    service = services.of(row.table.get("env", {}))
    row.check(service, row.send(service), row.table)
    if "otherwise" in row.table:
        plain = services.of({})
        row.check(plain, row.send(plain), row.table["otherwise"])


@pytest.mark.parametrize("path", ["/execute", "/run", "/pysandbox"])
def test_another_method_is_told_which(service, path):
    answer = service.call("GET", path)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
