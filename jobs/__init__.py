"""What a producer needs: the app, tasks, jobs, results; and the scripts that are the truth of every transition."""
