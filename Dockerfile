# gatebench in a container: targets, servers, load engine, reports.
#   docker build -t gatebench .
#   mkdir -p results
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/results:/runs/results" gatebench run quick
# --user: the runs are then yours. Without it they belong to the image's own user (1000), who must be able to write there.
FROM python:3.11-slim

ENV PATH=/opt/gatebench/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib
RUN python -m venv /opt/gatebench

# ssh, for generators on other machines. Whoever listens makes the keys: none lies in the image.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends openssh-client openssh-server \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*

# the pins first: they change less often than the code
COPY requirements.txt /src/
RUN python -m pip install --only-binary :all: --require-hashes -r /src/requirements.txt

COPY pyproject.toml README.md LICENSE /src/
COPY harness /src/harness
COPY loadtests /src/loadtests
COPY targets /src/targets
COPY benchmarks /src/benchmarks
RUN python -m pip install --no-deps /src

# Not root, and whoever else --user names: then there is no home, and /runs must be open to all.
RUN useradd --uid 1000 --no-create-home gatebench && mkdir -p /runs && chmod 1777 /runs
# The keys of docker-compose.yml's generators: a volume there takes the mode of this folder. Who owns it is up to the
# container engine, and the first to mount it may be a harness of any user.
RUN install -d -m 1777 /keys && ln -s /keys/known_hosts /etc/ssh/ssh_known_hosts
ENV HOME=/tmp
USER gatebench

# runs go to the current folder's results/
WORKDIR /runs
ENTRYPOINT ["gatebench"]
CMD ["run", "smoke"]
