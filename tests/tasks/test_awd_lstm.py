"""AWD-LSTM (arXiv:1708.02182) with the sizes of arXiv:1912.11493, appendix A.7."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Load = Callable[[str], ModuleType]

WORDS, EMBEDDED, UNITS, LENGTH, BATCH = 30, 8, 12, 9, 4


@pytest.fixture
def module(load: Load) -> ModuleType:
    return load("awd_lstm")


@pytest.fixture
def make(module: ModuleType) -> Callable[..., Any]:
    """Make a small model whose dropouts are 0 but for those given."""

    def make(**dropouts: float) -> Any:
        torch.manual_seed(0)
        return module.AWDLSTM(WORDS, EMBEDDED, UNITS, module.Dropouts().times(0)._replace(**dropouts))

    return make


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(WORDS, (LENGTH, BATCH), generator=torch.Generator().manual_seed(0))


def test_the_number_of_parameters(module: ModuleType) -> None:
    with torch.device("meta"):
        model = module.AWDLSTM()
    assert sum(p.numel() for p in model.parameters()) == 24_221_600


def test_the_dropouts_are_those_of_table_1(module: ModuleType) -> None:
    assert module.AWDLSTM(WORDS, EMBEDDED, UNITS).dropouts._asdict() == {
        "words": 0.1,
        "inputs": 0.4,
        "layers": 0.25,
        "outputs": 0.4,
        "weights": 0.5,
    }


def test_the_embedding_begins_uniform_and_the_bias_at_zero(module: ModuleType) -> None:
    weight = module.AWDLSTM(1000, 50, UNITS).embedding.weight.detach()
    assert 0.099 < float(weight.abs().max()) <= 0.1
    assert float(weight.mean()) == pytest.approx(0, abs=0.002)
    assert not bool(module.AWDLSTM(1000, 50, UNITS).bias.any())


def test_without_dropout_it_is_three_plain_lstms_and_the_tied_embedding(
    make: Callable[..., Any], tokens: Tensor
) -> None:
    model = make()
    hidden = model.embedding(tokens)
    for lstm in model.lstms:
        hidden, _ = lstm(hidden)
    expected = hidden @ model.embedding.weight.T + model.bias
    torch.testing.assert_close(model(tokens).logits, expected)


def test_two_windows_with_the_state_carried_are_one(make: Callable[..., Any], tokens: Tensor) -> None:
    model = make().double()
    whole = model(tokens)
    first = model(tokens[:5], model.zero_state(BATCH))
    second = model(tokens[5:], first.state)
    torch.testing.assert_close(torch.cat([first.logits, second.logits]), whole.logits)
    for (hidden, cell), (expected, expected_cell) in zip(second.state, whole.state, strict=True):
        torch.testing.assert_close(hidden, expected)
        torch.testing.assert_close(cell, expected_cell)


def test_a_detached_state_ends_the_graph(
    module: ModuleType, make: Callable[..., Any], tokens: Tensor
) -> None:
    state = make()(tokens).state
    assert all(tensor.requires_grad for pair in state for tensor in pair)
    assert not any(tensor.requires_grad for pair in module.detached(state) for tensor in pair)


@pytest.mark.parametrize("name", ["words", "inputs", "layers", "outputs", "weights"])
def test_each_dropout_acts_in_training_and_not_in_evaluation(
    make: Callable[..., Any], tokens: Tensor, name: str
) -> None:
    plain, dropping = make().eval(), make(**{name: 0.5})
    one, two = dropping(tokens).logits, dropping(tokens).logits
    assert not torch.equal(one, two)
    dropping.eval()
    assert torch.equal(dropping(tokens).logits, dropping(tokens).logits)
    assert torch.equal(dropping(tokens).logits, plain(tokens).logits)


def test_dropping_all_recurrent_weights_cuts_one_time_from_the_next(
    make: Callable[..., Any], tokens: Tensor
) -> None:
    """Without recurrent weights a hidden state reaches the next time through the cell alone, as this loop has it."""
    model = make(weights=1.0)
    found = model(tokens).raw
    hidden = model.embedding(tokens)
    for lstm in model.lstms:
        cell, outputs = torch.zeros(BATCH, lstm.hidden_size), []
        for inputs in hidden:
            gates = inputs @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + lstm.bias_hh_l0
            i, f, g, o = gates.chunk(4, dim=1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            outputs.append(o.sigmoid() * cell.tanh())
        hidden = torch.stack(outputs)
    torch.testing.assert_close(found, hidden)
    assert not torch.allclose(found, model.eval()(tokens).raw)


def test_gradients_reach_the_recurrent_weights_that_were_kept(
    make: Callable[..., Any], tokens: Tensor
) -> None:
    model = make(weights=0.5)
    before = [lstm.weight_hh_l0.detach().clone() for lstm in model.lstms]
    model(tokens).logits.square().sum().backward()
    for lstm, weight in zip(model.lstms, before, strict=True):
        reached = (lstm.weight_hh_l0.grad != 0).double().mean()
        assert float(reached) == pytest.approx(0.5, abs=0.1)
        assert torch.equal(lstm.weight_hh_l0, weight)  # only what is passed on is dropped


def test_one_mask_of_recurrent_weights_serves_the_whole_window(make: Callable[..., Any]) -> None:
    """With the same input at each time and a state that has settled, one mask gives one output at all times."""
    model = make(weights=0.5)
    raw = model(torch.zeros(400, 1, dtype=torch.int64)).raw
    torch.testing.assert_close(raw[-1], raw[-2])


def test_a_locked_mask_is_the_same_at_all_times(make: Callable[..., Any], tokens: Tensor) -> None:
    output = make(outputs=0.4)(tokens)
    factor = output.dropped / output.raw
    assert torch.allclose(factor, factor[:1].expand_as(factor))
    assert sorted({round(float(f), 4) for f in factor.detach().flatten()}) == [0, round(1 / 0.6, 4)]


def test_each_column_has_a_locked_mask_of_its_own_and_the_mean_is_kept(make: Callable[..., Any]) -> None:
    factor = make()._locked(torch.ones(LENGTH, 50, 40), 0.4)
    assert not torch.equal(factor[0, 0], factor[0, 1])
    assert float(factor.mean()) == pytest.approx(1, abs=0.1)


def test_a_dropped_word_is_dropped_wherever_it_stands_and_the_others_are_rescaled(
    make: Callable[..., Any],
) -> None:
    model = make(words=0.5)
    tokens = torch.arange(WORDS).repeat(2, 1).T
    factor = (model._embedded(tokens) / model.embedding(tokens)).detach()
    assert torch.allclose(factor[:, 0], factor[:, 1])
    assert sorted({round(float(f), 4) for f in factor.flatten()}) == [0, 2]


def test_the_loss_is_regularised_as_the_paper_defines_it(
    module: ModuleType, make: Callable[..., Any], tokens: Tensor
) -> None:
    with torch.no_grad():
        output = make(outputs=0.5).double()(tokens)
    plain = cross_entropy(output.logits.flatten(0, 1), tokens.flatten())
    size = LENGTH * BATCH * EMBEDDED
    activation = float((output.dropped**2).sum()) / size
    steps = float(((output.raw[1:] - output.raw[:-1]) ** 2).sum()) / (size - BATCH * EMBEDDED)
    found = float(module.regularised_loss(output, tokens, alpha=2, beta=1))
    assert found == pytest.approx(float(plain) + 2 * activation + steps, rel=1e-12)
    assert float(module.regularised_loss(output, tokens, alpha=0, beta=0)) == pytest.approx(float(plain))


def test_a_window_of_one_token_has_no_steps_to_regularise(
    module: ModuleType, make: Callable[..., Any], tokens: Tensor
) -> None:
    loss = module.regularised_loss(make()(tokens[:1]), tokens[:1], alpha=0, beta=1)
    assert bool(loss.isfinite())


def test_the_state_before_the_first_token_is_zero(make: Callable[..., Any], tokens: Tensor) -> None:
    model = make()
    assert torch.equal(model(tokens).logits, model(tokens, model.zero_state(BATCH)).logits)
    assert [lstm.hidden_size for lstm in model.lstms] == [UNITS, UNITS, EMBEDDED]
    assert all(isinstance(lstm, nn.LSTM) for lstm in model.lstms)
