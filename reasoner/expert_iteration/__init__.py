"""Expert iteration: a local model samples, exact verifiers judge, what is right is learned, and the next round begins with the better model.

    improved = improve(Path("loop"), Options(families=("countdown",), rounds=3))
    improved.best.adapter, improved.reason

Source: Anthony, Tian and Barber 2017 (expert iteration); Zelikman et al. 2022 (STaR), for language models.
"""

from reasoner.expert_iteration.loop import Improved as Improved
from reasoner.expert_iteration.loop import improve as improve
from reasoner.expert_iteration.options import Options as Options
from reasoner.expert_iteration.rounds import Round as Round
