"""The training of NAME.yaml: which of two words occurs more often in a text? Replace model and data by your own."""

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from lrsearch import LiveTrial
from lrsearch.huggingface import LRSearchCallback

WORDS, LENGTH = 20, 12


def train(trial: LiveTrial) -> None:
    """Train once, with what the trial says. torch, NumPy and Python's random are seeded before the call."""
    # Your data. What is to be the same for all seeds (the data itself, a split) has a generator of its own.
    texts = texts_with_labels(1500, torch.Generator().manual_seed(0))
    train_set, test_set = texts[:1000], texts[1000:]

    # Your model. This one is made from its configuration; .from_pretrained(...) is as good.
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=WORDS,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=LENGTH,
            num_labels=2,
        )
    )
    arguments = TrainingArguments(
        output_dir=".",
        save_strategy="no",
        max_steps=trial.iterations,
        seed=trial.seed,
        use_cpu=trial.device.type == "cpu",
        lr_scheduler_type="constant",  # or the schedule that you will train with: its peak is searched
        per_device_train_batch_size=trial.arguments["batch_size"],
        per_device_eval_batch_size=500,
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=train_set,
        eval_dataset={"train": train_set, "test": test_set},  # gives train_loss and test_loss
        optimizers=(trial.optimizer(model), None),  # what NAME.yaml describes
    )
    trainer.add_callback(LRSearchCallback(trial, trainer))
    trainer.train()


def texts_with_labels(count: int, generator: torch.Generator) -> list[dict[str, object]]:
    """Make texts of word numbers, each with whether word 1 occurs in it more often than word 2."""
    texts = torch.randint(3, WORDS, (count, LENGTH), generator=generator)
    marked = torch.rand(count, LENGTH, generator=generator) < 0.6
    texts = torch.where(marked, torch.randint(1, 3, texts.shape, generator=generator), texts)
    labels = (texts == 1).sum(dim=1) > (texts == 2).sum(dim=1)
    return [{"input_ids": text, "labels": int(label)} for text, label in zip(texts, labels, strict=True)]
