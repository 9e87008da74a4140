"""The demo: Postroom's main job on real input, one job for each Python file under a folder."""
