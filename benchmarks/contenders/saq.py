"""SAQ."""

from benchmarks.contender import Contender, python, unfinished

SAQ = Contender(
    name="SAQ",
    peer="saq",
    producer=python("saq_app"),
    worker=("saq", "benchmarks.apps.saq_app.settings", "--quiet"),
    finished=unfinished("saq:default:incomplete"),
    counted="jobs that have left the incomplete set, in the transaction that writes the result",
    settings="concurrency 100, quiet",
    guarantee="a dead worker's jobs are aborted after a minute, unless they have retries; result kept 10 min",
    share=0.2,
    slots=100,
)
