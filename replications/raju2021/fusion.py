"""The late fusion of AVEC 2019's baseline (Ringeval et al. 2019): what it was made with, and what it scores unseen.

The organisers fuse the predictions of nine systems with one linear support vector machine per target: windows of
all 27 series, C and window chosen, and the machine fitted, on the same development labels. Its predictions are
published; `recover` finds the linear map behind them, `fit` fits it anew, with today's solver or with that of 2019.
`cross_validate` and `cross_cultures` give what the organisers could not: the score on conversations that the fusion has
not seen. The nine systems themselves were selected on the development labels (best epoch), which nothing here undoes.

Series are by recording: inputs (n, d), gold standard and predictions of one target (n,), at 10 Hz.
"""

import itertools
import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from common import metrics, splits
from datasets import avec2019_public, sewa

SYSTEMS = tuple(system for system in avec2019_public.SYSTEMS if system != "svr")
CONTEXTS = (11, 13, 15, 17, 19)  # frames, as `build_context` counts them; the organisers' grid
ITERATIONS = 1000  # where liblinear stops, converged or not
TOLERANCE = 1e-4  # of liblinear's stopping rule, scikit-learn's default
ROUNDING = 1e-6  # the published predictions have six decimals, and least squares may spread their rounding
# With C of 0.1 and 1 liblinear takes ten times as long and more, and stops before it has converged. So the nested
# choice leaves them out, and of the windows it keeps the shortest and the longest.
NESTED = tuple(itertools.product((11, 19), (0.001, 0.01)))
INNER = 2  # folds inside the training chats: each chat is predicted once for the choice

Series = Mapping[str, np.ndarray]
Solver = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, int]]


@dataclass(frozen=True)
class Machine:
    """A fitted fusion: prediction = build_context(...) @ weights + intercept."""

    frames: int
    penalty: float
    weights: np.ndarray  # ((2 frames - 1) d,)
    intercept: float
    iterations: int

    @property
    def converged(self) -> bool:
        return self.iterations < ITERATIONS

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """(n, d) -> (n,). The window does not cross the borders of the recording: so the published files were made."""
        return build_context([inputs], self.frames) @ self.weights + self.intercept


@dataclass(frozen=True)
class Recovered:
    """The linear map behind published predictions; weights as in `Machine`, residuals (largest) by frames tried."""

    frames: int
    weights: np.ndarray
    intercept: float
    residuals: dict[int, float]


def stack(public: avec2019_public.Public) -> dict[str, np.ndarray]:
    """The inputs of the fusion: for each recording (n, 27), three targets of nine systems."""
    return {name: np.concatenate([public.predictions[s][name] for s in SYSTEMS], axis=1) for name in public.labels}


def average(inputs: Series, target: int) -> dict[str, np.ndarray]:
    """The mean of the nine systems' predictions of a target (position in TARGETS): a fusion that learns nothing."""
    return {name: values[:, target :: len(sewa.TARGETS)].mean(axis=1) for name, values in inputs.items()}


def build_context(recordings: list[np.ndarray], frames: int, crossing: bool = False) -> np.ndarray:
    """Windows of the inputs as the organisers' `fuse_results.py` makes them, one row per frame.

    Its loops over past and future both begin at the frame itself, so `frames` of each reach frames - 1 away and the
    frame is in there three times. Three equal columns are to a linear machine with an L2 penalty what one column
    times sqrt(3) is: the inner products are the same. So the window has 2 frames - 1 offsets, oldest first, and
    the columns of the frame itself are multiplied by sqrt(3). Past the end, the first or last frame is repeated.

    Args:
        recordings: arrays (n, d) in order.
        frames: 1 or more.
        crossing: the windows run over the borders between recordings, as in the organisers' fitting.

    Returns:
        (sum of n, (2 frames - 1) d) float64.

    Raises:
        ValueError: fewer than 1 frame.
    """
    if frames < 1:
        raise ValueError(f"frames must be 1 or more, received {frames}")
    if not crossing:
        return np.concatenate([build_context([inputs], frames, crossing=True) for inputs in recordings])
    inputs = np.concatenate(recordings).astype(np.float64)
    count, width = inputs.shape
    design = np.empty((count, 2 * frames - 1, width))
    for column, offset in enumerate(range(1 - frames, frames)):
        design[:, column] = inputs[np.clip(np.arange(count) + offset, 0, count - 1)]
    design[:, frames - 1] *= math.sqrt(3)
    return design.reshape(count, -1)


def recover(inputs: Series, stored: Series, contexts: tuple[int, ...] = CONTEXTS) -> Recovered:
    """The linear map with which `stored` predictions were made, by least squares; of minimum norm.

    The shortest of the windows (`build_context`, not crossing) that leaves nothing but rounding to six decimals. Frames
    whose window reaches past the end are left out: the organisers' files go on there, in padding.

    Raises:
        ValueError: there is no such map.
    """
    residuals = {}
    for frames in sorted(contexts):
        weights, intercept, residuals[frames] = _solve_least_squares(inputs, stored, frames)
        if residuals[frames] <= ROUNDING:
            return Recovered(frames, weights, intercept, residuals)
    raise ValueError(
        f"the predictions are no linear map of windows of {', '.join(map(str, residuals))} frames: "
        f"the residual is {min(residuals.values()):.1e} at best"
    )


def fit(inputs: Series, gold: Series, frames: int, penalty: float, solver: Solver | None = None) -> Machine:
    """One machine: epsilon-insensitive regression with epsilon 0, the intercept penalised like a weight.

    It minimises |w|^2 / 2 + C sum |gold - w x|, x with a last column of ones.
    """
    design = build_context(list(inputs.values()), frames, crossing=True)
    target = np.concatenate([gold[name] for name in inputs])
    weights, iterations = (solver or liblinear)(design, target, penalty)
    return Machine(frames, penalty, weights[:-1], float(weights[-1]), iterations)


def liblinear(design: np.ndarray, target: np.ndarray, penalty: float) -> tuple[np.ndarray, int]:
    """Weights (intercept last) and number of iterations of today's scikit-learn, as the organisers call it."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVR

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations tells it
        machine = LinearSVR(C=penalty, random_state=0, max_iter=ITERATIONS, tol=TOLERANCE).fit(design, target)
    return np.append(machine.coef_, machine.intercept_), int(machine.n_iter_)


def liblinear_2019(design: np.ndarray, target: np.ndarray, penalty: float) -> tuple[np.ndarray, int]:
    """The same by scikit-learn before 0.23 on Linux: its solver shuffled the rows with rand() of the C library.

    Where liblinear stops before it has converged, the result depends on the shuffles, and these are the ones that
    reproduce the published predictions. The algorithm is dual coordinate descent with shrinking (Ho and Lin 2012,
    JMLR 13:3323; L1 loss, epsilon 0): minutes per machine, as scikit-learn's own.
    """
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)  # what random_state=0 hands to liblinear
    return descend(np.column_stack([design, np.ones(len(design))]), target, penalty, glibc_rand(int(seed)))


def descend(
    rows: np.ndarray, target: np.ndarray, penalty: float, draws: Iterator[int], iterations: int = ITERATIONS
) -> tuple[np.ndarray, int]:
    """Dual coordinate descent for min |w|^2 / 2 + C sum |target - rows w|.

    Args:
        rows: (n, d).
        target: (n,).
        penalty: C.
        draws: non-negative integers that shuffle the rows, one per row and iteration.
        iterations: where it stops at the latest.

    Returns:
        w (d,) and the number of iterations made.
    """
    from scipy.linalg.blas import daxpy, ddot

    curvature = np.einsum("nd,nd->n", rows, rows).tolist()
    rows, target = list(np.ascontiguousarray(rows, np.float64)), target.tolist()
    weights, dual = np.zeros(len(rows[0])), [0.0] * len(rows)
    order, active, worst, first = list(range(len(rows))), len(rows), math.inf, None
    for iteration in range(1, iterations + 1):
        for here, draw in zip(range(active), draws):
            there = here + draw % (active - here)
            order[here], order[there] = order[there], order[here]
        total = largest = 0.0
        position = 0
        while position < active:
            index = order[position]
            row, value = rows[index], dual[index]
            gradient = ddot(row, weights) - target[index]
            if -penalty < value < penalty:
                violation = abs(gradient)
            else:  # at its bound: it counts if it wants to leave, and is shelved if it is sure to stay
                outward = gradient if value > 0 else -gradient
                if outward < -worst:
                    active -= 1
                    order[position], order[active] = order[active], order[position]
                    continue
                violation = max(outward, 0.0)
            position += 1
            largest, total = max(largest, violation), total + violation
            step = -gradient / curvature[index]
            if abs(step) < 1e-12:
                continue
            dual[index] = min(max(value + step, -penalty), penalty)
            daxpy(row, weights, a=dual[index] - value)  # in place
        first = total if first is None else first
        worst = largest
        if total <= TOLERANCE * first:
            if active == len(rows):
                return weights, iteration
            active, worst = len(rows), math.inf  # converged on what was not shelved: once more with all
    return weights, iterations


def glibc_rand(seed: int) -> Iterator[int]:
    """What rand() of the GNU C library returns after srand(seed): an additive feedback generator of 31 words."""
    words = [seed or 1]
    for _ in range(30):
        words.append(16807 * words[-1] % 2147483647)
    state = deque(words[3:] + words[:3], maxlen=31)
    for number in itertools.count():
        state.append((state[0] + state[-3]) & 0xFFFFFFFF)
        if number >= 310:
            yield state[-1] >> 1


def deal_folds(chats: Mapping[str, str], k: int) -> list[splits.Fold]:
    """`k` folds that never split a chat: sorted by culture and number, the chats are dealt to them in turn."""
    part = {chat: str(number % k + 1) for number, chat in enumerate(sorted(set(chats.values())))}
    return splits.leave_one_subject_out({name: part[chat] for name, chat in chats.items()})


def cross_validate(
    inputs: Series, gold: Series, chats: Mapping[str, str], grid: tuple[tuple[int, float], ...] = NESTED, k: int = 7
) -> tuple[dict[str, np.ndarray], dict[str, tuple[int, float]]]:
    """Predictions of the fusion for conversations that it has not seen, and (frames, penalty) chosen in each fold.

    Seven folds of one German and one Hungarian chat: the other twelve choose the setting (`choose`) and fit.
    Leaving out single chats would double the time for one more chat to learn from.
    """
    return _predict_unseen(deal_folds(chats, k), inputs, gold, chats, grid)


def cross_cultures(
    inputs: Series, gold: Series, chats: Mapping[str, str], grid: tuple[tuple[int, float], ...] = NESTED
) -> tuple[dict[str, np.ndarray], dict[str, tuple[int, float]]]:
    """As `cross_validate`, each culture predicted by the fusion chosen and fitted on the other; folds are by culture."""
    return _predict_unseen(
        splits.leave_one_subject_out({name: _read_culture(name) for name in chats}), inputs, gold, chats, grid
    )


def choose(
    inputs: Series, gold: Series, chats: Mapping[str, str], grid: tuple[tuple[int, float], ...]
) -> tuple[int, float]:
    """The setting of `grid` with the best CCC of held-out chats, in INNER folds of the recordings in `inputs`."""
    inner = deal_folds({name: chats[name] for name in inputs}, INNER)

    def held_out_score(setting: tuple[int, float]) -> float:
        predictions = {}
        for fold in inner:
            machine = fit({name: inputs[name] for name in fold.train}, gold, *setting)
            predictions |= {name: machine.predict(inputs[name]) for name in fold.test}
        return metrics.score_pooled(
            metrics.ccc, {name: gold[name] for name in inputs}, predictions, pooling="concatenated", variance="avec2018"
        )

    return max(grid, key=held_out_score)


def score(truth: np.ndarray, prediction: np.ndarray) -> float:
    """CCC as the organisers compute it."""
    return metrics.ccc(truth, prediction, variance="avec2018")


def _predict_unseen(cuts, inputs, gold, chats, grid):
    predictions, settings = {}, {}
    for fold in cuts:
        splits.assert_disjoint(fold, chats)
        train = {name: inputs[name] for name in fold.train}
        settings[fold.name] = choose(train, gold, chats, grid)
        machine = fit(train, gold, *settings[fold.name])
        predictions |= {name: machine.predict(inputs[name]) for name in fold.test}
    return {name: predictions[name] for name in inputs}, settings


def _solve_least_squares(inputs: Series, stored: Series, frames: int) -> tuple[np.ndarray, float, float]:
    """Weights, intercept and largest residual over the frames whose window ends inside the recording."""
    inside = {name: max(len(values) - frames + 1, 0) for name, values in inputs.items()}
    design = np.concatenate([build_context([values], frames)[: inside[name]] for name, values in inputs.items()])
    design = np.column_stack([design, np.ones(len(design))])
    target = np.concatenate([stored[name][: inside[name]] for name in inputs])
    weights = np.linalg.lstsq(design.T @ design, design.T @ target, rcond=1e-14)[0]
    return weights[:-1], float(weights[-1]), float(np.abs(design @ weights - target).max())


def _read_culture(name: str) -> str:
    return name.split("_")[1]
