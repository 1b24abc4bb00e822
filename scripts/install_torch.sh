#!/bin/sh
# Installs torch as a CPU build: install_torch.sh PYTHON VERSION [INDEX]
# With INDEX, from there and nowhere else (CUDA builds: https://download.pytorch.org/whl/cu130).
set -eu
python=$1 version=$2 index=${3:-}
install() { "$python" -m pip --disable-pip-version-check install --quiet --quiet "$@"; }

if [ -n "$index" ]; then
    install "torch==$version" --index-url "$index"
    exit
fi
# The CPU build from wherever pip looks here; most indexes do not have it and say so at once.
if install "torch==$version+cpu" 2>/dev/null; then exit; fi
if [ "$(uname -s)" = Linux ]; then
    # The usual index has only the build with several GB of CUDA for Linux, so ask PyTorch's own.
    if install "torch==$version" --index-url https://download.pytorch.org/whl/cpu; then exit; fi
    echo "No CPU build of torch $version is to be had; taking the one of the usual index." >&2
fi
install "torch==$version"
