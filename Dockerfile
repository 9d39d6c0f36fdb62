# gatebench in a container: targets, servers, load engine, reports.
#   docker build -t gatebench .
#   docker run --rm -v "$PWD/results:/runs/results" gatebench run quick
FROM python:3.11-slim

ENV PATH=/opt/gatebench/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib
RUN python -m venv /opt/gatebench

# the pins first: they change less often than the code
COPY requirements.txt /src/
RUN python -m pip install --only-binary :all: -r /src/requirements.txt

COPY pyproject.toml README.md LICENSE /src/
COPY harness /src/harness
COPY loadtests /src/loadtests
COPY targets /src/targets
COPY benchmarks /src/benchmarks
RUN python -m pip install --no-deps /src

# runs go to the current folder's results/
WORKDIR /runs
ENTRYPOINT ["gatebench"]
CMD ["run", "smoke"]
