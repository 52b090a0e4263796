# monai_xray2mri: `make demo` on a machine with nothing but Python 3.11 and make; `make test` checks everything.
#
#   make setup PYTHON=/path/to/python3.11     another interpreter
#   make setup PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"     the smaller PyTorch without CUDA

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_FLAGS ?=
BIN := .venv/bin
INSTALLED := .venv/installed
EXTRAS := deploy,bundle,test

LABEL := .venv-label

.PHONY: setup demo test coverage setup-label test-label image test-image lint clean

comma := ,

setup: $(INSTALLED)
	@:

# dicom2nifti, with which tests read what is written, comes without the GDCM that it asks for: pydicom would decode with it,
# and the tests of decoding would no longer see what users see.
# The interpreter starts once more at the end because Holoscan's wheel finishes its installation at the first start.
$(INSTALLED): pyproject.toml constraints.txt hatch_build.py monai_xray2mri/deploy/hook.pth
	@"$(PYTHON)" -c "import sys; sys.version_info >= (3, 11) or sys.exit('Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11')"
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e ".[$(EXTRAS)]"
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps dicom2nifti==2.6.2
	$(BIN)/python -c "import holoscan_cli"
	@touch $@

demo: setup
	rm -rf demo_in demo_out
	$(BIN)/xray2mri example-study --output demo_in
	$(BIN)/monai-deploy exec app_package -i demo_in -o demo_out -m bundle/knee_xray2mri
	@echo
	@echo "Synthetic MR series, preview picture and report of each knee:"
	@find demo_out -mindepth 2 -maxdepth 2 | sort

# A process per core with one thread each: threads of several processes that share cores slow each other down. Files run
# in order: the few long tests of the app begin first, and do not run alone at the end.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: setup
	$(PYTEST)

# The same tests, with the share of the branches that they run; less than pyproject.toml asks for is a failure. Counting
# costs more than the tests themselves (153 CPU seconds became more than 350 for three rooms), so it is for releases.
coverage: setup
	$(PYTEST) --cov --cov-report=term

# MONAI Label in an environment of its own: what it is built against does not fit the Deploy SDK's (docs/label/slicer.md).
setup-label: $(LABEL)/installed
	@:

$(LABEL)/installed: pyproject.toml constraints.txt requirements-label.txt hatch_build.py monai_xray2mri/deploy/hook.pth
	"$(PYTHON)" -m venv $(LABEL)
	$(LABEL)/bin/python -m pip install --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e ".[bundle]" -r requirements-label.txt
	$(LABEL)/bin/python -m pip install --disable-pip-version-check --no-deps monailabel==0.8.5 pydicom-seg==0.4.1 numpymaxflow==0.0.7
	@touch $@

test-label: setup-label
	OMP_NUM_THREADS=1 $(LABEL)/bin/python -m pytest tests/label

# The image of docs/hospital.md, without a daemon. BASE is a Debian 12 image; WHEELS a folder of wheels that are taken
# before an index's; CA the certificate of a proxy that opens TLS.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= localhost/xray2mri:$(VERSION)
BASE ?= docker.io/library/debian:bookworm-slim
TARGET ?= whole
VARIANT ?= cpu
BUILDER ?= buildah bud --layers=false --isolation chroot --network host
WHEELS ?=
CA ?=

image:
	$(BUILDER) --file hospital/Containerfile --ignorefile hospital/Containerfile.containerignore --target $(TARGET) \
	  --build-arg BASE=$(BASE) --build-arg VARIANT=$(VARIANT) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null || echo unknown) \
	  $(if $(CA),--secret id=ca$(comma)src=$(CA)) $(if $(WHEELS),--build-context wheels=$(WHEELS)) --tag $(IMAGE) .

test-image: setup
	XRAY2MRI_IMAGE=$(IMAGE) $(BIN)/python -m pytest -n 0 tests/image

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv $(LABEL) build dist demo_in demo_out .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.* coverage.xml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
