# The command line in a container, without Slicer; Docs/installation.md says how to build and run it.
FROM python:3.12-slim-bookworm

# "[models]" adds torch and the models that need it.
ARG EXTRAS=""

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY tools/constraints.txt tools/
COPY MedSegFMLib MedSegFMLib
RUN pip install --no-cache-dir --constraint tools/constraints.txt ".${EXTRAS}" \
    && rm -r /source \
    && useradd --create-home --uid 1000 medsegfm \
    && mkdir /weights /data \
    && chown 1000 /weights /data

# Weights that are fetched or imported stay if a volume is mounted here.
ENV MEDSEGFM_WEIGHTS=/weights
VOLUME /weights
USER 1000
WORKDIR /data
ENTRYPOINT ["medsegfm"]
CMD ["--help"]
