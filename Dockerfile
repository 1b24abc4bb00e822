# One image for every part; docker-compose.yml says which part a container is.
# CPU:  docker build -t concord .
# CUDA: docker build -t concord-gpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
FROM python:3.11-slim-bookworm

ARG TORCH_VERSION=2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 DATA_DIR=/data HOST=0.0.0.0
WORKDIR /app

# libgomp1: threads of torch and scikit-learn
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 concord \
    && install --directory --owner=concord --group=concord /data

# torch first and by itself: without an index of its own it would be the CUDA build
RUN pip install "torch==${TORCH_VERSION}" --index-url "${TORCH_INDEX}"
COPY requirements.txt .
RUN pip install -r requirements.txt

COPY manage.py pyproject.toml LICENSE ./
COPY annotator annotator
COPY learning learning
COPY templates templates
COPY static static

USER concord
VOLUME /data
EXPOSE 8000
# Alone, the image runs everything, with its embedded PostgreSQL in /data
CMD ["python", "-m", "annotator.runtime.supervisor"]
