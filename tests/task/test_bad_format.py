"""Files whose keys or values are not a task's."""

# ruff: noqa: E501 - the lines are the ones that users see, unbroken.
import re
from pathlib import Path

import pytest

from lrsearch.errors import TaskError
from lrsearch.task import parse_task

HEAD = "name: mine\nworkload: mine.py:workload\nbudget: {iterations: 100, evaluate_every: 10}\n"
OPTIMIZERS = HEAD + "optimizers:\n"
TASK = OPTIMIZERS + "  sgd: {lr: {start: 0.1}}\n"

# A file's text, and what follows the file's name in the one line that it gives.
BAD = [
    (TASK + "seeds: -1\n", ":6:1 seeds is -1; give a whole number of at least 1"),
    (TASK + "seeds: 0\n", ":6:1 seeds is 0; give a whole number of at least 1"),
    (TASK + "seeds: 2.5\n", ":6:1 seeds is 2.5; give a whole number of at least 1"),
    (TASK + "seeds: true\n", ":6:1 seeds is true; give a whole number of at least 1"),
    (TASK + "seeds: three\n", ':6:1 seeds is "three"; give a whole number of at least 1'),
    (TASK + 'seeds: "3"\n', ':6:1 seeds is "3"; give a whole number of at least 1, without quotes'),
    (TASK + "seeds:\n", ":6:1 seeds is empty; give a whole number of at least 1"),
    (TASK + "seeds: [3]\n", ":6:1 seeds is [3]; give a whole number of at least 1"),
    (TASK + "recipe: {gradient_clip: 0}\n", ":6:10 recipe.gradient_clip is 0; give a norm above 0"),
    (
        TASK + "recipe: {clip: 1}\n",
        ":6:10 recipe.clip is not a key here; the keys are schedule, warmup, accumulate, compile, groups, gradient_clip, precision",
    ),
    (
        TASK + "recipe: {schedule: 3}\n",
        ":6:10 recipe.schedule is 3; give a class of torch.optim.lr_scheduler, such as CosineAnnealingLR, or "
        "{name: CLASS, ...}",
    ),
    (
        TASK + "recipe: {schedule: {eta_min: 0}}\n",
        ":6:10 recipe.schedule.name is missing; add name: CosineAnnealingLR",
    ),
    (
        TASK + "recipe: {schedule: {name: StepLR, eta_min: {tims: 1}}}\n",
        ":6:45 recipe.schedule.eta_min.tims is not a key here; did you mean times?",
    ),
    (
        TASK + "recipe: {warmup: 1.5}\n",
        ":6:10 recipe.warmup is 1.5; give a whole number of iterations of at least 1, or a fraction of them below 1",
    ),
    (
        TASK + "recipe: {warmup: 100000}\n",
        ":6:10 recipe.warmup takes 100000 iterations, and budget.iterations is 100; give fewer",
    ),
    (
        TASK + "recipe: {warmup: 10}\nsearch: {race: true}\n",
        ":7:10 search.race compares curves that recipe.warmup bends, one more than another; leave race out",
    ),
    (
        TASK + "recipe: {groups: {match: x}}\n",
        ':6:10 recipe.groups is a mapping; give a list of groups, such as [{match: "*.bias", weight_decay: 0}]',
    ),
    (
        TASK + "recipe: {groups: [x]}\n",
        ':6:19 recipe.groups[0] is "x"; give a mapping, such as groups: [{match: "*.bias", weight_decay: 0}]',
    ),
    (
        TASK + "recipe: {groups: [{lr_times: 1}]}\n",
        ':6:19 recipe.groups[0].match is missing; add match: "*.bias"',
    ),
    (
        TASK + "recipe: {groups: [{match: x, weight_decay: zero}]}\n",
        ':6:30 recipe.groups[0].weight_decay is "zero"; give a number',
    ),
    (
        TASK + 'recipe: {groups: [{match: "*", lr: 0.1}]}\n',
        ":6:32 recipe.groups[0].lr would be the same at every candidate; give lr_times, a ratio to the entry's lr",
    ),
    (
        TASK + "recipe: {schedule: ReduceLROnPlateau}\nmetric: {window: 2, curve_examples: 20}\n",
        ":7:21 metric.curve_examples is 20 and metric.examples all, and ReduceLROnPlateau compares evaluations over "
        "both where metric.window is 2; give one number for both, or window: 1",
    ),
    (TASK + "recipe: {precision: half}\n", ':6:10 recipe.precision is "half"; give float32, tf32 or bf16'),
    (TASK + "seeds: {screen: 1}\n", ":6:1 seeds.confirm is missing; add confirm: 3"),
    (TASK + "seeds: {confirm: 3}\n", ":6:1 seeds.screen is missing; add screen: 1"),
    (
        TASK + "seeds: {screen: 0, confirm: 3}\n",
        ":6:9 seeds.screen is 0; give a whole number of at least 1",
    ),
    (
        TASK + "seeds: {screen: 4, confirm: 3}\n",
        ":6:9 seeds.screen is 4, more than seeds.confirm; give at most 3",
    ),
    (
        TASK + "seeds: {scren: 1, confirm: 3}\n",
        ":6:9 seeds.scren is not a key here; did you mean screen?",
    ),
    (
        "workload: a.py:b\nbudget: {iterations: 1, evaluate_every: 1}\noptimizers: {sgd: {}}\n",
        ":1:1 name is missing; add name: my_task",
    ),
    (
        TASK.replace("workload: mine.py:workload\n", ""),
        ":1:1 workload is missing; add workload: my_task.py:workload or loop: my_task.py:train",
    ),
    (
        TASK + "loop: a.py:train\n",
        ":6:1 loop stands beside workload, and one of them trains; leave out the one or the other",
    ),
    (
        TASK.replace("workload:", "loop:") + "recipe: {gradient_clip: 1}\n",
        ":6:1 recipe is not for a loop: it makes its own updates; leave it out",
    ),
    (
        TASK.replace("workload:", "loop:") + "metric: {examples: 10}\n",
        ":6:10 metric.examples is not for a loop: it makes its own evaluations; leave it out",
    ),
    (
        TASK.replace("workload:", "loop:").replace("start: 0.1", "start: auto"),
        ":5:14 optimizers.sgd.lr.start is auto, but a range test raises the rate each iteration, which is the loop's "
        "own affair; give a number",
    ),
    ("{}\n", ":1:1 name is missing; add name: my_task (and 3 more)"),
    (
        "# c\nname: mine\nworkload: a.py:b\noptimizers: {sgd: {}}\n",
        ":2:1 budget is missing; add budget: {iterations: 5000, evaluate_every: 250}",
    ),
    (
        "name: mine\nworkload: a.py:b\nbudget: {}\noptimizers: {sgd: {}}\n",
        ":3:1 budget.iterations is missing; add iterations: 5000 (and 1 more)",
    ),
    (
        "name: mine\nworkload: a.py:b\nbudget:\noptimizers: {sgd: {}}\n",
        ":3:1 budget is empty; give a mapping, such as budget: {iterations: 5000, evaluate_every: 250}",
    ),
    (
        "name: mine\nworkload: a.py:b\nbudget: 5000\noptimizers: {sgd: {}}\n",
        ":3:1 budget is 5000; give a mapping, such as budget: {iterations: 5000, evaluate_every: 250}",
    ),
    (
        TASK.replace("evaluate_every: 10", "evaluate_every: 101"),
        ":3:27 budget.evaluate_every is 101, more than budget.iterations; give at most 100",
    ),
    (
        TASK.replace("iterations", "iteration"),
        ":3:10 budget.iteration is not a key here; did you mean iterations?",
    ),
    (TASK.replace("workload: ", "worklaod: "), ":2:1 worklaod is not a key here; did you mean workload?"),
    (TASK + "optimiser: {}\n", ":6:1 optimiser is not a key here; did you mean optimizers?"),
    (
        TASK + "colour: blue\n",
        ":6:1 colour is not a key here; the keys are name, workload, loop, arguments, watch, budget, seeds, metric, optimizers, search, recipe, resources",
    ),
    (TASK + "seeds: 0\ncolour: blue\n", ":6:1 seeds is 0; give a whole number of at least 1 (and 1 more)"),
    (
        TASK.replace("name: mine", "name: ../mine"),
        ":1:1 name is \"../mine\"; give a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'",
    ),
    (
        TASK.replace("name: mine", "name: .mine"),
        ":1:1 name is \".mine\"; give a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'",
    ),
    (TASK.replace("name: mine", "name: 2024"), ':1:1 name is 2024; give text, in quotes: "2024"'),
    (
        TASK.replace("name: mine", "name: my task"),
        ":1:1 name is \"my task\"; give a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'",
    ),
    (
        TASK.replace("name: mine", "name:"),
        ":1:1 name is empty; give a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'",
    ),
    (
        TASK.replace("name: mine", "name: ''"),
        ":1:1 name is \"\"; give a name of letters, digits, '-', '_' and '.' that begins with a letter, a digit or '_'",
    ),
    (
        TASK.replace("mine.py:workload", "mine.py"),
        ':2:1 workload is "mine.py"; give FILE.py:callable, beside this file, or package.module:callable',
    ),
    (
        TASK.replace("mine.py:workload", "mine.py workload"),
        ':2:1 workload is "mine.py workload"; give FILE.py:callable, beside this file, or package.module:callable',
    ),
    (
        TASK.replace("mine.py:workload", "[a]"),
        ':2:1 workload is ["a"]; give FILE.py:callable, beside this file, or package.module:callable',
    ),
    (
        "name: mine\nworkload: mine.py:\nbudget: {iterations: 100, evaluate_every: 10}\noptimizers:\n  sgd: {lr: {start: 0.1}}\n",
        ":2:18 a colon cannot stand here; put the text in quotes, or indent this line like the keys beside it",
    ),
    (
        TASK + "metric: train_loss\n",
        ':6:1 metric is "train_loss"; give a mapping, such as metric: {name: train_loss}',
    ),
    (TASK + "metric:\n", ":6:1 metric is empty; give a mapping, such as metric: {name: train_loss}"),
    (TASK + "metric: {mode: maximum}\n", ':6:10 metric.mode is "maximum"; give min or max'),
    (
        TASK + "metric: {examples: some}\n",
        ':6:10 metric.examples is "some"; give all, or a whole number of at least 1',
    ),
    (
        TASK + "metric: {curve_examples: 0}\n",
        ":6:10 metric.curve_examples is 0; give all, or a whole number of at least 1",
    ),
    (
        TASK + "metric: {window: 11}\n",
        ":6:10 metric.window is 11, more than the 10 evaluations after iteration 0; give at most 10, or evaluate more often",
    ),
    (TASK + "metric: {window: 0}\n", ":6:10 metric.window is 0; give a whole number of at least 1"),
    (TASK + "metric: {name: 3}\n", ':6:10 metric.name is 3; give text, in quotes: "3"'),
    (
        TASK + "metric: {curve_example: 3}\n",
        ":6:10 metric.curve_example is not a key here; did you mean curve_examples?",
    ),
    (
        TASK + "metric: {lower: 0}\n",
        ":6:10 metric.lower is not a key here; did you mean lower_bound?",
    ),
    (TASK + "metric: {lower_bound: zero}\n", ':6:10 metric.lower_bound is "zero"; give a number'),
    (
        TASK + "metric: {lower_bound: '0'}\n",
        ':6:10 metric.lower_bound is "0"; give a number, without quotes',
    ),
    (
        TASK + "metric: {lower_bound: .nan}\n",
        ":6:10 metric.lower_bound is .nan; give a finite number",
    ),
    (
        TASK + "metric: {mode: max, kind: share}\n",
        ':6:21 metric.kind is "share"; give accuracy, or leave it out',
    ),
    (
        TASK + "metric: {kind: accuracy}\n",
        ":6:10 metric.kind is accuracy, which is to be high, and metric.mode is min unless given; write mode: max, or "
        "leave kind out",
    ),
    (
        TASK + "metric: {mode: min, kind: accuracy}\n",
        ":6:21 metric.kind is accuracy, which is to be high, and metric.mode is min; write mode: max, or leave kind out",
    ),
    (
        TASK + "metric: {mode: max, lower_bound: 0}\n",
        ":6:21 metric.lower_bound bounds a metric that is to be low, and metric.mode is max; leave it out",
    ),
    (HEAD + "optimizers: {}\n", ":4:1 optimizers has no entries; add one, such as sgd: {lr: {start: 0.1}}"),
    (
        HEAD + "optimizers: [sgd]\n",
        ':4:1 optimizers is ["sgd"]; give a mapping, such as optimizers: {sgd: {lr: {start: 0.1}}}',
    ),
    (
        TASK + "search: {limits: {lr: [1, 0.1]}}\n",
        ":6:19 search.limits.lr is [1, 0.1]; give the lower limit first, then a higher one",
    ),
    (
        TASK + "search: {limits: {lr: 1}}\n",
        ":6:19 search.limits.lr is 1; give two numbers, [LOWEST, HIGHEST]",
    ),
    (
        TASK + "search: {limits: {lr: [1]}}\n",
        ":6:19 search.limits.lr is [1]; give two numbers, [LOWEST, HIGHEST]",
    ),
    (
        TASK + "search: {limits: {lr: [0, 1]}}\n",
        ":6:19 search.limits.lr is [0, 1]; give each limit a value above 0",
    ),
    (
        TASK + "search: {limits: {lr: [0.1, 0.2]}}\n",
        ":6:19 search.limits.lr is [0.1, 0.2], which hold fewer than two rungs; widen them",
    ),
    (
        TASK + "search: {limits: {lr: [1, 10]}}\n",
        ":5:14 optimizers.sgd.lr.start is 0.1, outside the limits [1, 10]; start within them, or widen search.limits.lr",
    ),
    (
        TASK + "search: {limits: {c: [1, 10]}}\n",
        ":6:19 search.limits.c is no hyperparameter of any entry; did you mean cprop.c?",
    ),
    (
        TASK + "search: {limits: {momentun: [0, 0.9]}}\n",
        ":6:19 search.limits.momentun is no hyperparameter of any entry; the names are cprop.beta, cprop.c, lr",
    ),
    (
        TASK + "search: {limits: {lr: ['1', true]}}\n",
        ':6:19 search.limits.lr is ["1", true]; give two numbers, [LOWEST, HIGHEST]',
    ),
    (
        TASK + "search: {limits: [1, 2]}\n",
        ":6:10 search.limits is [1, 2]; give a mapping, such as limits: {lr: [1e-6, 10]}",
    ),
    (TASK + "search: {limit: {}}\n", ":6:10 search.limit is not a key here; did you mean limits?"),
    (TASK + "search: {tolerance: 5}\n", ":6:10 search.tolerance is 5; give a fraction above 0 and at most 1"),
    (TASK + "search: {tolerance: 0}\n", ":6:10 search.tolerance is 0; give a fraction above 0 and at most 1"),
    (TASK + "search: {prefer: best}\n", ':6:10 search.prefer is "best"; give lowest, largest or smallest'),
    (TASK + "search: {race: 1}\n", ":6:10 search.race is 1; give true or false"),
    (
        TASK + "search: {race: true, resolve: true}\n",
        ":6:10 search.race ends trainings whose ends search.resolve compares, so that hardly anything would be resolved; "
        "leave one of them out",
    ),
    (
        TASK + "metric: {mode: max}\nsearch: {race: true}\n",
        ":7:10 search.race compares losses, which are to be low, and metric.mode is max; leave race out",
    ),
    (TASK + "search: {resolve: yes}\n", ':6:10 search.resolve is "yes"; give true or false'),
    (TASK + "search: {max_seeds: 0}\n", ":6:10 search.max_seeds is 0; give a whole number of at least 1"),
    (
        TASK + "search: {resolve: true, max_seeds: 2}\n",
        ":6:25 search.max_seeds is 2, less than seeds, 3; give at least 3",
    ),
    (
        TASK + "search: {resolve: true}\nseeds: {screen: 1, confirm: 12}\n",
        ":6:1 search.max_seeds is 10 unless given, less than seeds.confirm, 12; give at least 12",
    ),
    (
        TASK + "search: {limits: {3: [1,2]}}\n",
        ":6:19 a key in search.limits is 3, not text; put it in quotes if it is a name",
    ),
    (
        TASK + "search: {limits: {cprop: {c: [1, 9]}}}\n",
        ":6:19 search.limits.cprop is a mapping; give two numbers, [LOWEST, HIGHEST]",
    ),
    (TASK + "resources: {cpus: 0}\n", ":6:13 resources.cpus is 0; give a whole number of at least 1"),
    (TASK + "resources: {cpus: 0.5}\n", ":6:13 resources.cpus is 0.5; give a whole number of at least 1"),
    (
        TASK + "resources: {gpus: -1}\n",
        ":6:13 resources.gpus is -1; give 0, a fraction of one GPU such as 0.25, or a whole number",
    ),
    (
        TASK + "resources: {gpus: 1.5}\n",
        ":6:13 resources.gpus is 1.5; give 0, a fraction of one GPU such as 0.25, or a whole number",
    ),
    (
        TASK + "resources: {timeout: 10m}\n",
        ':6:13 resources.timeout is "10m"; give a number of seconds above 0, such as 600, and at most 1e9',
    ),
    (
        TASK + "resources: {timeout: 1e300}\n",
        ":6:13 resources.timeout is 1e+300; give a number of seconds above 0, such as 600, and at most 1e9",
    ),
    (
        TASK.replace("iterations: 100", "iterations: 9223372036854775807"),
        ":3:10 budget.iterations is 9223372036854775807; give a whole number of at most 100000000",
    ),
    (
        TASK.replace("iterations: 100", "iterations: 1e300"),
        ":3:10 budget.iterations is 1e+300; give a whole number of at most 100000000",
    ),
    (
        TASK.replace("iterations: 100", "iterations: 10000001"),
        ":3:32 budget.evaluate_every is 10, which asks for 1000001 evaluations of each training; give at least 101",
    ),
    (TASK + "seeds: 10000000\n", ":6:1 seeds is 10000000; give a whole number of at most 1000"),
    (
        TASK + "seeds: {screen: 2, confirm: 1001}\n",
        ":6:20 seeds.confirm is 1001; give a whole number of at most 1000",
    ),
    (
        TASK + "search: {resolve: true, max_seeds: 1e9}\n",
        ":6:25 search.max_seeds is 1000000000; give a whole number of at most 1000",
    ),
    (
        TASK + "recipe: {accumulate: 10001}\n",
        ":6:10 recipe.accumulate is 10001; give a whole number of at most 10000",
    ),
    (TASK + "resources: {gpu: 1}\n", ":6:13 resources.gpu is not a key here; did you mean gpus?"),
]


@pytest.mark.parametrize(
    ("text", "line"), BAD, ids=[re.sub(r"[^a-z0-9]+", "-", line.lower())[:60] for _, line in BAD]
)
def test_it_is_refused_in_one_line_that_says_where_what_and_the_remedy(text: str, line: str) -> None:
    with pytest.raises(TaskError) as raised:
        parse_task(text, Path("mine.yaml"))
    assert str(raised.value) == "mine.yaml" + line
