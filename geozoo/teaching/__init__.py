"""Teaching a small potential with a large one: structures are sampled, labelled and compared.

`label_file` labels a file of structures with a trained potential, the teacher. `sample_structures`
draws structures around a few given ones, `screened` removes near duplicates, `split_by_path`
divides them by trajectory, and `compare` measures a student against its teacher.
"""

from geozoo.teaching.comparison import SetErrors, compare
from geozoo.teaching.labelling import LabelSummary, label_file
from geozoo.teaching.references import reference_energies
from geozoo.teaching.sampling import SamplingPlan, sample_structures
from geozoo.teaching.screening import Screened, screened
from geozoo.teaching.splitting import split_by_path
from geozoo.teaching.timing import StepTime, step_times

__all__ = [
    "LabelSummary",
    "SamplingPlan",
    "Screened",
    "SetErrors",
    "StepTime",
    "compare",
    "label_file",
    "reference_energies",
    "sample_structures",
    "screened",
    "split_by_path",
    "step_times",
]
