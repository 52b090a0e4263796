"""Recipes: the stages of a whole training in order, one command that goes on wherever it stopped.

A recipe is a JSON file with a list of stages. A stage knows how far it is, by what lies on the disk, and does a piece
of work that may be ended at any moment. The engine takes the stages in order, tells how fast they are and what is
left, and refuses a state that another recipe began. It knows no body part: a system brings stages of its own.

==================  =============================================================================================
module              what it holds
==================  =============================================================================================
:mod:`.stage`       what a stage is (``Stage``, ``Progress``), and one piece of its work (``Turn``)
:mod:`.reading`     the file (``TrainingRecipe``)
:mod:`.state`       which stages have begun, and as what (``RecipeState``)
:mod:`.running`     the stages in order (``run_recipe``)
:mod:`.reporting`   what is told meanwhile (``Reporter``)
:mod:`.configured`  a stage that trains by a bundle's configurations (``ConfiguredTraining``)
:mod:`.choosing`    a stage that takes the best of several candidates (``ChosenWeights``)
==================  =============================================================================================
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "ChosenWeights",
    "ConfiguredTraining",
    "Progress",
    "Reporter",
    "Stage",
    "TrainingRecipe",
    "Turn",
    "run_recipe",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ChosenWeights": "choosing",
        "ConfiguredTraining": "configured",
        "Progress": "stage",
        "Reporter": "reporting",
        "Stage": "stage",
        "TrainingRecipe": "reading",
        "Turn": "stage",
        "run_recipe": "running",
    },
)
