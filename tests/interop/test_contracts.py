"""The contract suites of the ports, on AWS's APIs: each runs its own backends there as well."""
import pytest

SETS = pytest.mark.parametrize("world", ["strict", pytest.param("moto", marks=pytest.mark.long)],
                               indirect=True)


@SETS
@pytest.mark.parametrize("suite, backend", [("queue/queue_test", "sqs"), ("analytics/archive_test", "s3"),
                                            ("analytics/ledger_test", "dynamodb")])
def test_the_contract_holds(run_suite, proxy, suite, backend):
    out = run_suite(f"tests/contract/{suite}")
    assert f"ok - {backend}" in out, f"the suite did not run on {backend}:\n{out}"
    assert proxy.seen(), "nothing was asked of AWS"
    refused = [entry for entry in proxy.seen() if entry[2] == 403]
    assert {entry[3] for entry in refused} <= {"XAmzContentSHA256Mismatch"}, "a signature was refused"


@SETS
@pytest.mark.parametrize("suite", ["store_write", "store_read", "store_owner", "store_outbox",
                                   "store_search", "store_direct", "access_store"])
def test_the_stores_of_users_and_keys_hold_their_contract(run_suite, proxy, suite):
    out = run_suite(f"tests/contract/user/{suite}_test")
    assert "# backend: dynamodb at AWS" in out, f"the suite did not run there:\n{out}"
    assert proxy.seen("dynamodb", "TransactWriteItems"), "nothing was written"


def test_sqlite_and_dynamodb_answer_alike(run_suite, proxy):
    assert "ok 1" in run_suite("tests/contract/user/store_twin_test")
    assert proxy.seen("dynamodb", "TransactWriteItems"), "nothing was written"


# Rule 34.
@pytest.mark.parametrize("operation, fault", [
    ("PUT", "lose_reply"), ("PUT", "cut_upload"), ("PUT partNumber", "cut_upload"),
    ("PUT partNumber", "lose_reply"), ("POST uploadId", "lose_reply"), ("POST uploadId", "503"),
    ("POST uploads", "lose_reply")])
def test_the_archive_is_create_only_on_bad_days(run_suite, proxy, operation, fault):
    """Objects in one piece and in parts."""
    met = proxy.inject(fault, service="s3", operation=operation)
    assert "ok - s3" in run_suite("tests/contract/analytics/archive_test")
    assert not met.left, "the fault never came"
