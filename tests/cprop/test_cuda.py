"""What only a CUDA device shows: captured graphs, kernel launches, moments and counts on the device."""

import copy

import pytest
import torch
from torch import nn, optim

from cprop import MEASURES, CProp
from cprop.compiled import _factors, has_triton
from cprop.measures import error_ratio

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
needs_triton = pytest.mark.skipif(not has_triton(), reason="no Triton here")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 300), nn.Linear(300, 100), nn.Linear(100, 10)).cuda()


def fill_gradients(*models):
    for ps in zip(*(model.parameters() for model in models), strict=True):
        gradient = torch.randn(ps[0].shape, device=ps[0].device) * 0.01
        for p in ps:
            p.grad = gradient.to(p.device, p.dtype)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("eps", [0.0, 1e-8])
def test_factors_of_a_count_on_the_device_are_those_of_a_count_on_the_cpu(eps):
    for n in (1.0, 1.999, 730.0):
        a, ratio = _factors(eps, torch.float32)(torch.tensor(n, dtype=torch.float64))
        assert (a.item(), ratio.item()) == pytest.approx((1 / n, error_ratio(n, eps)), rel=1e-6)


@needs_cuda
@pytest.mark.parametrize("implementation", ["blocks", pytest.param("compile", marks=needs_triton)])
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_cuda_ends_where_the_cpu_ends(measure, implementation, momentum):
    on_cuda = network()
    on_cpu = copy.deepcopy(on_cuda).cpu()
    optimizers = [
        CProp(optim.SGD(m.parameters(), lr=0.1, momentum=momentum), measure=measure, implementation=i)
        for m, i in ((on_cuda, implementation), (on_cpu, "blocks"))
    ]
    for _ in range(50):
        fill_gradients(on_cuda, on_cpu)
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(on_cuda.parameters(), on_cpu.parameters(), strict=True):
        torch.testing.assert_close(p.cpu(), q, rtol=1e-4, atol=1e-6)


@needs_cuda
@needs_triton
@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1),
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: optim.Adam(p, capturable=True),
        lambda p: optim.AdamW(p, fused=True, capturable=True),
    ],
    ids=["sgd", "momentum", "adam", "fused_adamw"],
)
def test_a_captured_step_counts_on(make):
    replayed, eager = network(), network()
    optimizer, other = CProp(make(replayed.parameters())), CProp(make(eager.parameters()))
    fill_gradients(replayed, eager)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # captures, does not run
        optimizer.step()
    for _ in range(3):
        other.step()
    static = [p.grad for p in replayed.parameters()]
    for _ in range(20):
        fill_gradients(eager)
        for gradient, p in zip(static, eager.parameters(), strict=True):
            gradient.copy_(p.grad)
        graph.replay()
        other.step()
    assert optimizer.state[replayed[0].weight]["cprop_n"] == other.state[eager[0].weight]["cprop_n"]
    for p, q in zip(replayed.parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(p, q)


@needs_cuda
def test_blocks_refuse_to_be_captured():
    model = network()
    optimizer = CProp(optim.SGD(model.parameters(), lr=0.1), implementation="blocks")
    fill_gradients(model)
    optimizer.step()
    with pytest.raises(RuntimeError, match="give 'compile'"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        optimizer.step()


@needs_cuda
@needs_triton
def test_a_small_network_costs_six_kernels_more_at_most():
    def launches(wrap):
        model = network()
        inner = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        optimizer = wrap(inner)
        fill_gradients(model)
        for _ in range(3):
            optimizer.step()
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            optimizer.step()
            torch.cuda.synchronize()
        on_device = [e for e in profile.events() if e.device_type == torch.autograd.DeviceType.CUDA]
        return sum(not event.name.startswith(("Memcpy", "Memset")) for event in on_device)

    assert launches(CProp) <= launches(lambda optimizer: optimizer) + 6


@needs_cuda
def test_the_fused_optimizer_under_a_grad_scaler():
    model = network()
    optimizer = CProp(optim.Adam(model.parameters(), fused=True))
    scaler = torch.amp.GradScaler("cuda", init_scale=4.0)
    scaler.scale(model(torch.ones(2, 784, device="cuda")).square().mean()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert optimizer.state[model[0].weight]["cprop_n"] == 1
    next(model.parameters()).grad.fill_(float("inf"))
    scaler.step(optimizer)
    assert optimizer.state[model[0].weight]["cprop_n"] == 1
