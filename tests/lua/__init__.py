"""Table tests of the Lua scripts."""

import pytest

pytest.register_assert_rewrite("tests.lua.table")
