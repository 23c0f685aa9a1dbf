"""The Penn Treebank, word by word, by AWD-LSTM (arXiv:1912.11493, section 3.4, appendices A.7 and C.4)."""

from awd_lstm import AWDLSTM, Dropouts, State, detached, regularised_loss
from torch import Tensor
from torch.nn.functional import cross_entropy

from lrsearch import Workload, datasets
from lrsearch.workload.text import MeanOverText, TextBatch, TextBatches


def awd_lstm(
    batch_size: int = 32,
    length: int = 35,
    dropout: float = 1.0,
    alpha: float = 2.0,
    beta: float = 1.0,
    width: float = 1.0,
) -> Workload:
    """The network of table 1, read ``length`` words at a time.

    ``dropout`` is a factor on all five of its probabilities: at 0 it is the paper's network without dropout, whose
    regularisation by ``alpha`` and ``beta`` stays. ``width`` is a factor on the units and the words' vectors.
    """
    text = datasets.penn_treebank()
    model = AWDLSTM(
        words=len(text.vocabulary),
        embedded=max(1, round(400 * width)),
        units=max(1, round(1150 * width)),
        dropouts=Dropouts().times(dropout),
    )

    def loss(model: AWDLSTM, batch: TextBatch, state: State) -> tuple[Tensor, State]:
        inputs, targets, begins = batch
        output = model(inputs, None if begins else state)
        return regularised_loss(output, targets, alpha, beta), detached(output.state)

    return Workload(
        model=model,
        batches=TextBatches(text.train, batch_size, length),
        loss=loss,
        metrics={
            "train": MeanOverText(per_token, text.train, batch_size, length),
            "test": MeanOverText(per_token, text.test, batch_size, length),
        },
        carried=model.zero_state(batch_size),
    )


def per_token(model: AWDLSTM, batch: TextBatch, state: State | None) -> tuple[Tensor, State]:
    """Mean cross-entropy (nats), without what regularises the training."""
    output = model(batch.inputs, state)
    return cross_entropy(output.logits.flatten(0, 1), batch.targets.flatten()), output.state
