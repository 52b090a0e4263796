"""Requests that compute, answered in threads, so that the server goes on answering ``/info/`` meanwhile.

MONAI Label computes inside ``async`` functions, which keeps its only event loop from everything else until a volume is
there. FastAPI runs functions that are not ``async`` in threads; two such functions, put before MONAI Label's own on the
same paths, call what those call.
"""

from typing import Any

from fastapi import BackgroundTasks, Depends, File, Form, UploadFile
from fastapi.routing import APIRoute
from monailabel.config import settings
from monailabel.endpoints import activelearning, infer
from monailabel.endpoints.user.auth import RBAC, User

from monai_xray2mri.label.answers import hide_texts

# No `from __future__ import annotations` here: FastAPI reads the types of these functions when they are registered.

_REQUIRE_USER = Depends(RBAC(settings.MONAI_LABEL_AUTH_ROLE_USER))
_IMAGE_FILE, _LABEL_FILE = File(None), File(None)  # FastAPI writes the parameter's name into its object


def run_inference(
    background_tasks: BackgroundTasks,
    model: str,
    image: str = "",
    session_id: str = "",
    params: str = Form("{}"),
    file: UploadFile = _IMAGE_FILE,
    label: UploadFile = _LABEL_FILE,
    output: infer.ResultType | None = None,
    user: User = _REQUIRE_USER,
) -> Any:
    """``POST /infer/{model}`` as MONAI Label answers it."""
    with hide_texts():
        return infer.run_inference(background_tasks, model, image, session_id, params, file, label, output)


def next_sample(strategy: str, params: dict[str, Any] | None = None, user: User = _REQUIRE_USER) -> Any:
    """``POST /activelearning/{strategy}`` as MONAI Label answers it."""
    with hide_texts():
        return activelearning.sample(strategy, params, user.username)


def answer_beside_the_loop() -> None:
    """Put these functions before MONAI Label's own in the running server."""
    from monailabel.app import app

    for path, function in (("/infer/{model}", run_inference), ("/activelearning/{strategy}", next_sample)):
        route = APIRoute(
            settings.MONAI_LABEL_API_STR + path,
            function,
            methods=["POST"],
            response_model=None,
            include_in_schema=False,
        )
        app.router.routes.insert(0, route)
