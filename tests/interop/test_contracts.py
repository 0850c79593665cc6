"""The contract suites of the ports, on AWS's APIs: each runs its own backends there as well."""
import pytest


@pytest.mark.parametrize("suite, backend", [("queue/queue_test", "sqs"), ("analytics/archive_test", "s3"),
                                            ("analytics/ledger_test", "dynamodb")])
def test_the_contract_holds(run_suite, proxy, suite, backend):
    out = run_suite(f"tests/contract/{suite}")
    assert f"ok - {backend}" in out, f"the suite did not run on {backend}:\n{out}"
    assert proxy.seen(), "nothing was asked of AWS"


@pytest.mark.parametrize("suite", ["write", "read", "owner", "outbox", "search"])
def test_the_user_store_holds_its_contract(run_suite, proxy, suite):
    out = run_suite(f"tests/contract/user/store_{suite}_test")
    assert "# backend: dynamodb at AWS" in out, f"the suite did not run there:\n{out}"
    assert proxy.seen("dynamodb", "TransactWriteItems"), "nothing was written"
