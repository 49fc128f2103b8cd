# Each target sets up all it needs: see tools/environment.
.PHONY: demo test test-lowest attacks test-busy format constraints api clean

# The light installation alone: reads, segments, evaluates and draws without torch.
demo:
	@venv=$$(tools/environment) && PYTHONPATH=. $$venv/bin/python -m MedSegFMLib demo --out demo

# So many processes run tests at once, each of them with one thread: they need 2 GB of memory each. One
# more than two cores, as many tests wait for a process, a page or a package index.
PROCESSES = 3
ONE_THREAD = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

test:
	@venv=$$(tools/environment models browser cluster test) && export PYTHONPATH=. && set -x && \
	$$venv/bin/python -m ruff check . && \
	$$venv/bin/python -m ruff format --check . && \
	$$venv/bin/python -m mypy && \
	$(ONE_THREAD) $$venv/bin/python -m pytest -n $(PROCESSES) --dist worksteal

# The same beside two busy loops, which end with it, and with SIGINT ignored, as a shell script
# starts what it leaves in the background: Ctrl-\ ends it.
test-busy:
	@for n in 1 2; do python3 -c \
	"import os; shell = os.getppid(); any(iter(lambda: os.getppid() != shell, True))" & done; \
	trap "" INT; nice -n 5 $(MAKE) test

# Hostile inputs of every class for 20 minutes: prints a table, and ends with an error if any escaped.
attacks:
	@venv=$$(tools/environment models browser cluster test) && \
	$(ONE_THREAD) PYTHONPATH=.:Testing/support $$venv/bin/python Testing/attacks/run.py

# Reading, writing and prompts with the lowest versions of packages that pyproject.toml allows.
test-lowest:
	@venv=$$(LOWEST=1 tools/environment zarr test) && \
	$(ONE_THREAD) PYTHONPATH=. $$venv/bin/python -m pytest -n $(PROCESSES) --dist worksteal \
	Testing/volumes Testing/prompts Testing/session Testing/datasets

format:
	@venv=$$(tools/environment models browser cluster test) && \
	$$venv/bin/python -m ruff check --fix . && $$venv/bin/python -m ruff format .

# The newest versions of all packages that pyproject.toml allows become those that tests run with.
constraints:
	@venv=$$(tools/environment) && $$venv/bin/python tools/pin_versions

# The reference of the Python library from its docstrings: Docs/api/index.html, which is not kept.
api:
	@venv=$$(tools/environment models browser cluster test) && \
	PYTHONPATH=. $$venv/bin/python tools/api_reference Docs/api && echo Docs/api/index.html

clean:
	rm -rf demo build Docs/api *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
