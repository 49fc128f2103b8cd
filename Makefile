# Each target sets up all it needs: see tools/environment.
.PHONY: demo test format constraints clean

# The light installation alone: reads, segments, evaluates and draws without torch.
demo:
	@venv=$$(tools/environment) && PYTHONPATH=. $$venv/bin/python -m MedSegFMLib demo --out demo

test:
	@venv=$$(tools/environment models browser cluster test) && export PYTHONPATH=. && set -x && \
	$$venv/bin/python -m ruff check . && \
	$$venv/bin/python -m ruff format --check . && \
	$$venv/bin/python -m mypy && \
	$$venv/bin/python -m pytest

format:
	@venv=$$(tools/environment models browser cluster test) && \
	$$venv/bin/python -m ruff check --fix . && $$venv/bin/python -m ruff format .

# The newest versions of all packages that pyproject.toml allows become those that tests run with.
constraints:
	@venv=$$(tools/environment) && $$venv/bin/python tools/pin_versions

clean:
	rm -rf demo build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
