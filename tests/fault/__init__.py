"""The fault harness: processes, connections and servers are broken on purpose, and every job is accounted for.

`make fault` runs all cases (`CASE=`, `SEED=`, `JOBS=`), one JSON line each; `make test` runs a short form. What was
acknowledged, run and broken is read from files outside Redis (history.py); what Redis holds is only compared with it.
"""
