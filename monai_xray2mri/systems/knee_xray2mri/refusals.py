"""Several refusals as one."""

from __future__ import annotations

from collections.abc import Sequence

from monai_xray2mri.errors import InputRefused, NotAKnee


def joined(refusals: Sequence[InputRefused]) -> InputRefused:
    """The only refusal of a study, or one that names them all; a study of something else alone is no knee's.

    Args:
        refusals: why its films, or knees, cannot be used; none where it shows another knee than the one that is wanted.
    """
    if len(refusals) == 1:
        return refusals[0]
    if not refusals:
        return InputRefused("study", "must show the wanted knee", "only the other one", "Check the side option.")
    kind = NotAKnee if all(isinstance(refusal, NotAKnee) for refusal in refusals) else InputRefused
    return kind(
        "study", "needs one radiograph of the knee that can be used", " | ".join(str(refusal) for refusal in refusals)
    )
