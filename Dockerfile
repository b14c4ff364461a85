# Two images of the program, for processors and for NVIDIA GPUs:
#
#   docker build --target cpu -t speedrun:cpu --build-arg TORCH_INDEX=URL .
#   docker build --target cuda -t speedrun:cuda .
#   docker run --rm -v speedrun-runs:/app/runs -v speedrun-cache:/cache speedrun:cpu --minutes 5
#
# URL is the index of PyTorch's CPU builds, as pytorch.org/get-started/locally names it for pip.
# Without TORCH_INDEX pip installs the build for CUDA, which brings its libraries with it.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS base
# A C++ compiler at run time: torch.compile, Triton and the project's kernels build at first use.
# Git tells the commit of a record.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ git \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 speedrun \
 && install -d -o speedrun -g speedrun /app /app/runs /app/sweeps /cache
WORKDIR /app

FROM base AS dependencies
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY pyproject.toml constraints.txt ./
# PyTorch alone comes from its own index; the rest is pinned as in CI, and cached as a layer.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /tmp/wanted.txt \
 && grep '^torch==' /tmp/wanted.txt > /tmp/torch.txt \
 && pip install -r /tmp/torch.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
 && pip install -r /tmp/wanted.txt -c constraints.txt
COPY . .
RUN pip install --no-deps --editable .

FROM base AS program
COPY --from=dependencies /opt/venv /opt/venv
COPY --chown=1000:1000 . .
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SPEEDRUN_CACHE=/cache/speedrun \
    HF_HOME=/cache/huggingface \
    TORCHINDUCTOR_CACHE_DIR=/cache/inductor
USER 1000
VOLUME ["/app/runs", "/app/sweeps", "/cache"]
ENTRYPOINT ["python", "run.py"]
CMD ["--help"]

FROM program AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# The last stage is the one that a build without --target makes.
FROM program AS cpu
