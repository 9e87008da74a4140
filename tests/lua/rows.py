"""The rows of all tables."""

from tests.lua import (
    test_alter,
    test_announce,
    test_bury,
    test_cancel,
    test_claim,
    test_claim_foreign,
    test_complete,
    test_declare,
    test_decline,
    test_delete,
    test_dependents,
    test_enqueue,
    test_import,
    test_join,
    test_listen,
    test_offer,
    test_paused,
    test_promote,
    test_purge,
    test_record,
    test_recover,
    test_redrive,
    test_release,
    test_renew,
    test_retain,
    test_retry,
    test_rq,
    test_sift,
    test_swap,
    test_sweep,
    test_tick,
    test_undo,
)
from tests.lua.table import Row

TABLES = (
    *(test_enqueue, test_join, test_claim, test_claim_foreign, test_paused, test_renew, test_complete),
    *(test_dependents, test_rq, test_bury, test_retry, test_release, test_recover, test_sweep, test_promote),
    *(test_cancel, test_delete, test_retain, test_announce, test_swap),
    *(test_sift, test_redrive, test_purge, test_import, test_undo, test_record, test_listen),
    *(test_tick, test_declare, test_alter, test_decline, test_offer),
)
ROWS: tuple[Row, ...] = tuple(row for table in TABLES for row in table.ROWS)
