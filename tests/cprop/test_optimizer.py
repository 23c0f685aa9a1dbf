"""CProp is a torch.optim.Optimizer: all that works on the bare one works on the wrapped one."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from cprop import CProp


def linear(**arguments):
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    return model, CProp(optim.SGD(model.parameters(), lr=0.1, momentum=0.9), **arguments)


def backward(model, seed=0, scaler=None):
    generator = torch.Generator().manual_seed(seed)
    loss = model(torch.randn(8, 6, generator=generator)).square().mean()
    (loss if scaler is None else scaler.scale(loss)).backward()
    return loss


def train(model, optimizer, steps=5, seed=0):
    for i in range(steps):
        optimizer.zero_grad()
        backward(model, seed + i)
        optimizer.step()


def moments(optimizer):
    return [
        {name: value.clone() for name, value in state.items() if name.startswith("cprop_")}
        for state in optimizer.state.values()
    ]


def same(first, second):
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: lr_scheduler.StepLR(o, step_size=1, gamma=0.5),
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=5),
        lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.5, total_steps=5),
        lambda o: lr_scheduler.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=2),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.5)], milestones=[2]
        ),
        lambda o: SWALR(o, swa_lr=0.01, anneal_epochs=3),
    ],
    ids=["step", "cosine", "one_cycle", "cyclic", "sequential", "swa"],
)
@pytest.mark.filterwarnings("error:.*lr_scheduler.step.*")
def test_schedulers_drive_it_as_they_drive_the_bare_optimizer(make):
    rates = []
    for wrap in (CProp, lambda optimizer: optimizer):
        model = nn.Linear(6, 4)
        optimizer = wrap(optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
        scheduler = make(optimizer)
        rates.append([])
        for i in range(4):
            train(model, optimizer, steps=1, seed=i)
            scheduler.step()
            rates[-1].append([(group["lr"], group["momentum"]) for group in optimizer.param_groups])
    assert rates[0] == rates[1]
    assert rates[0][0] != rates[0][3]


def test_reduce_on_plateau():
    _, optimizer = linear()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    for _ in range(2):
        scheduler.step(1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_the_grad_scaler_skips_changes_nothing(fused):
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    optimizer = CProp(optim.Adam(model.parameters(), fused=fused))
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    backward(model, scaler=scaler)
    scaler.step(optimizer)
    scaler.update()
    before, parameters = moments(optimizer), [p.detach().clone() for p in model.parameters()]
    assert before[0]["cprop_n"] == 1
    model.weight.grad[0, 0] = math.inf
    scaler.step(optimizer)
    scaler.update()
    same(moments(optimizer), before)
    same(list(model.parameters()), parameters)
    assert scaler.get_scale() == 2.0


def test_conformity_sees_the_gradient_unscaled_and_clipped_and_before_decay():
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    optimizer = CProp(optim.SGD(model.parameters(), lr=0.1, weight_decay=10.0))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    backward(model, scaler=scaler)
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    clipped = [p.grad.clone() for p in model.parameters()]
    scaler.step(optimizer)
    same([optimizer.state[p]["cprop_mean"] for p in model.parameters()], clipped)


def test_the_whole_update_is_scaled_decoupled_decay_included():
    parameter = nn.Parameter(torch.ones(1))
    optimizer = CProp(optim.AdamW([parameter], lr=0.1, weight_decay=0.5), beta=0.9)
    for gradient in (1.0, -1.0):  # opposite gradients: scale near 0
        parameter.data.fill_(1.0)
        parameter.grad = torch.tensor([gradient])
        optimizer.step()
    scale = optimizer.mean_scale()
    assert 0 < scale < 0.1
    bare = nn.Parameter(torch.ones(1))
    bare_optimizer = optim.AdamW([bare], lr=0.1, weight_decay=0.5)
    for gradient in (1.0, -1.0):
        bare.data.fill_(1.0)
        bare.grad = torch.tensor([gradient])
        bare_optimizer.step()
    assert (1 - parameter).item() == pytest.approx(scale * (1 - bare).item(), rel=1e-4)


def test_a_closure_is_called_once_and_its_loss_returned():
    model, optimizer = linear()
    calls = []

    def closure():
        optimizer.zero_grad()
        calls.append(backward(model))
        return calls[-1]

    assert optimizer.step(closure) is calls[0]
    assert len(calls) == 1
    other, plain = linear()
    train(other, plain, steps=1)
    same(list(model.parameters()), list(other.parameters()))


def test_an_optimizer_that_needs_its_closure_gets_it():
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    optimizer = CProp(optim.LBFGS(model.parameters(), max_iter=4))

    def closure():
        optimizer.zero_grad()
        return backward(model)

    first = optimizer.step(closure)
    for _ in range(5):
        last = optimizer.step(closure)
    assert last < first / 2
    assert 0 < optimizer.mean_scale() <= 1


def test_groups_have_their_own_beta_and_c():
    ps = [nn.Parameter(torch.zeros(3)) for _ in range(3)]
    groups = [{"params": ps[:1]}, {"params": ps[1:2], "beta": 0.5}, {"params": ps[2:], "c": 0.0, "lr": 1.0}]
    optimizer = CProp(optim.SGD(groups, lr=0.1), beta=0.9)
    for _ in range(2):
        for p in ps:
            p.grad = torch.ones(3)
        optimizer.step()
    assert [g["beta"] for g in optimizer.param_groups] == [0.9, 0.5, 0.9]
    assert [g["c"] for g in optimizer.param_groups] == [1.0, 1.0, 0.0]
    assert [optimizer.state[p]["cprop_n"].item() for p in ps] == pytest.approx([1.9, 1.5, 1.9])
    same(ps[2].detach(), torch.zeros(3))
    assert ps[1].tolist() == pytest.approx([-0.2] * 3)


def test_a_group_can_be_added_while_training():
    model, optimizer = linear()
    train(model, optimizer)
    late = nn.Parameter(torch.zeros(2))
    optimizer.add_param_group({"params": [late], "lr": 0.5, "c": 3.0})
    late.grad = torch.ones(2)
    train(model, optimizer)
    assert optimizer.param_groups[1]["beta"] == 0.999
    assert optimizer.param_groups[1]["c"] == 3.0
    assert late.tolist() == [0.0, 0.0]  # zero_grad() took its gradient away
    assert late not in optimizer.state
    late.grad = torch.ones(2)
    optimizer.step()
    assert late.tolist() == [-0.5, -0.5]
    assert optimizer.state[late]["cprop_n"] == 1


def test_options_of_that_name_stay_the_wrapped_optimizer_s():
    class Named(optim.SGD):
        def __init__(self, parameters):
            super().__init__(parameters, lr=0.1)
            self.defaults["beta"] = 0.3
            for group in self.param_groups:
                group["beta"] = 0.3

    optimizer = CProp(Named(nn.Linear(6, 4).parameters()), beta=0.9)
    group = optimizer.param_groups[0]
    assert (group["beta"], group["cprop_beta"], group["c"]) == (0.3, 0.9, 1.0)


@pytest.mark.parametrize("implementation", ["blocks", "compile"], indirect=True)
def test_parameters_without_a_gradient_stay_and_keep_their_own_count(implementation):
    together = [nn.Parameter(torch.ones(4)) for _ in range(4)]
    alone = [nn.Parameter(torch.ones(4)) for _ in range(4)]
    optimizer = CProp(optim.SGD(together, lr=0.1, momentum=0.5), beta=0.9, implementation=implementation)
    singles = [
        CProp(optim.SGD([p], lr=0.1, momentum=0.5), beta=0.9, implementation=implementation) for p in alone
    ]
    torch.manual_seed(0)
    for present in [(0, 1, 2), (0, 1, 2, 3), (0, 2), (1, 3), (0, 1, 2, 3), (), (2,), (0, 1, 2, 3)]:
        for i, (p, q) in enumerate(zip(together, alone, strict=True)):
            p.grad = torch.randn(4) if i in present else None
            q.grad = None if p.grad is None else p.grad.clone()
        optimizer.step()
        for single in singles:
            single.step()
    torch.testing.assert_close(together, alone)
    counts = [optimizer.state[p]["cprop_n"].item() for p in together]
    assert counts == [s.state[q]["cprop_n"].item() for s, q in zip(singles, alone, strict=True)]


def test_frozen_and_empty_parameters():
    frozen = nn.Parameter(torch.ones(3), requires_grad=False)
    empty, full = nn.Parameter(torch.zeros(0)), nn.Parameter(torch.ones(2))
    optimizer = CProp(optim.SGD([frozen, empty, full], lr=0.1))
    empty.grad, full.grad = torch.zeros(0), torch.ones(2)
    optimizer.step()
    assert frozen not in optimizer.state
    assert optimizer.mean_scale() == 1


def test_moments_of_low_precision_parameters_are_float32_also_when_loaded():
    parameter = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = CProp(optim.SGD([parameter], lr=0.1, momentum=0.9))
    parameter.grad = torch.full_like(parameter, 1 / 3)
    for _ in range(3):
        optimizer.step()
    saved = optimizer.state_dict()
    again = CProp(optim.SGD([parameter], lr=0.1, momentum=0.9))
    again.load_state_dict(saved)
    for state in (optimizer.state[parameter], again.state[parameter]):
        assert state["cprop_mean"].dtype == state["cprop_variance"].dtype == torch.float32
        assert state["momentum_buffer"].dtype == torch.bfloat16
    same(moments(again), moments(optimizer))


def test_step_hooks_of_both_optimizers_are_called():
    calls = []
    model, optimizer = linear()
    for name, hooked in (("inner", optimizer.optimizer), ("outer", optimizer)):
        hooked.register_step_pre_hook(lambda o, a, k, name=name: calls.append(f"before {name}"))
        hooked.register_step_post_hook(lambda o, a, k, name=name: calls.append(f"after {name}"))
    train(model, optimizer, steps=1)
    assert calls == ["before outer", "before inner", "after inner", "after outer"]


@pytest.mark.parametrize("implementation", ["blocks", "compile"], indirect=True)
def test_backward_through_parameters_that_a_step_changed_is_refused(implementation, tiny_blocks):
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(10, 10))
    optimizer = CProp(optim.SGD([weight], lr=0.1), implementation=implementation)
    weight.grad = torch.randn(10, 10)
    loss = (weight @ weight).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_step_hooks_of_plain_sgd_are_called():
    calls = []
    inner = optim.SGD([nn.Parameter(torch.ones(3))], lr=0.1)
    inner.register_step_post_hook(lambda o, a, k: calls.append("inner"))
    optimizer = CProp(inner)
    inner.param_groups[0]["params"][0].grad = torch.ones(3)
    optimizer.step()
    assert calls == ["inner"]


def test_state_dict_hooks():
    model, optimizer = linear()
    train(model, optimizer)
    calls = []
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("pre"))
    optimizer.register_state_dict_post_hook(lambda o, s: {**s, "note": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, s: calls.append(s.pop("note")))
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    optimizer.register_load_state_dict_pre_hook(lambda o, s: calls.append("note" in s))
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    assert calls == ["pre", 1, False, "loaded"]
    assert "note" in saved


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["deepcopy", "pickle"]
)
def test_a_copy_trains_on_alike_and_apart(copied):
    model, optimizer = linear()
    train(model, optimizer)
    other_model, other = copied((model, optimizer))
    train(model, optimizer, seed=7)
    assert not torch.equal(model.weight, other_model.weight)
    train(other_model, other, seed=7)
    same(list(model.parameters()), list(other_model.parameters()))
    same(moments(optimizer), moments(other))


def test_a_state_dict_is_a_bare_one_with_cprop_s_entries():
    model, optimizer = linear(beta=0.9)
    train(model, optimizer)
    saved = optimizer.state_dict()
    assert saved["cprop"] == {"optimizer": "SGD"}
    assert saved["param_groups"][0]["beta"] == 0.9
    assert set(saved["state"][0]) == {"momentum_buffer", "cprop_n", "cprop_mean", "cprop_variance"}


def test_loading_shares_no_moments_with_what_was_saved():
    model, optimizer = linear()
    train(model, optimizer)
    saved = optimizer.state_dict()
    twin, other = linear()
    other.load_state_dict(saved)
    before = moments(optimizer)
    train(twin, other)
    same(moments(optimizer), before)
    assert other.param_groups[0]["params"][0] is twin.weight


def saved_states():
    model = nn.Linear(6, 4)
    bare = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    adam = CProp(optim.Adam(model.parameters()))
    relative = CProp(optim.SGD(model.parameters(), lr=0.1, momentum=0.9), measure="relative_rate")
    fewer = CProp(optim.SGD([model.weight], lr=0.1, momentum=0.9))
    for optimizer in (bare, adam, relative, fewer):
        train(model, optimizer)
    return {
        "bare": (bare.state_dict(), "without 'beta', 'c'"),
        "adam": (adam.state_dict(), "around Adam; this one is around SGD"),
        "measure": (relative.state_dict(), "cprop_magnitude.*the measure that the state was saved with"),
        "fewer": (fewer.state_dict(), "doesn't match the size"),
        "model": (model.state_dict(), "'state' and 'param_groups'"),
        "none": (None, "'state' and 'param_groups'"),
    }


@pytest.mark.parametrize("name", ["bare", "adam", "measure", "fewer", "model", "none"])
def test_any_other_state_is_refused_and_changes_nothing(name):
    state_dict, message = saved_states()[name]
    model, optimizer = linear()
    train(model, optimizer)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state_dict)
    after = optimizer.state_dict()
    same(after["state"], before["state"])
    assert after["param_groups"] == before["param_groups"]


def test_nothing_but_two_moments_and_a_count_is_kept_between_steps():
    model, optimizer = linear()
    train(model, optimizer)
    for p in model.parameters():
        kept = [v for k, v in optimizer.state[p].items() if k.startswith("cprop_")]
        assert sorted(v.numel() for v in kept) == [1, p.numel(), p.numel()]
    assert set(vars(optimizer)) - set(vars(optim.SGD(model.parameters(), lr=1))) == {
        "optimizer", "settings", "implementation", "option_names"
    }  # fmt: skip


def test_mean_scale_and_histogram():
    p, q = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1))
    optimizer = CProp(optim.SGD([{"params": [p]}, {"params": [q], "c": 0.5}], lr=0.1))
    with pytest.raises(RuntimeError, match=r"call step\(\) first"):
        optimizer.mean_scale()
    p.grad, q.grad = torch.ones(3), torch.ones(1)
    optimizer.step()
    assert optimizer.mean_scale() == pytest.approx((3 * 1 + 0.5) / 4)
    assert optimizer.scale_histogram(4).tolist() == [0, 0, 1, 3]
    assert optimizer.scale_histogram(1).dtype == torch.int64
    with pytest.raises(ValueError, match="bins is 0"):
        optimizer.scale_histogram(0)


NAMES = "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax NAdam RAdam RMSprop Rprop SGD"


@pytest.mark.parametrize("name", NAMES.split())
@pytest.mark.parametrize("foreach", [False, True])
def test_torch_s_optimizers_leave_gradients_as_they_are(name, foreach):
    parameter = nn.Parameter(torch.ones(5, 3))
    for decay in ({}, {"maximize": True}):
        optimizer = getattr(optim, name)([parameter], lr=0.1, foreach=foreach, **decay)
        for _ in range(3):
            gradient = torch.randn(5, 3)
            parameter.grad = gradient.clone()
            optimizer.step()
            same(parameter.grad, gradient)
