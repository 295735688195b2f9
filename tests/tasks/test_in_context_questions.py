"""Questions: what stands before an item, where it ends, and which items are shown as shots."""

import re

import numpy as np
import pytest

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.tasks.batches import View
from hyenadna.tasks.in_context_questions import (
    Questions,
    choose_questions,
    class_tokens,
    settle_length,
    training_batches,
)
from hyenadna.tasks.in_context_recipe import InContextRecipe
from hyenadna.tokenizer import PAD, SEP, decode, encode, reverse_complement_ids

CLASSES = ("enhancer", "promoter", "neither")


def labelled(count: int, *, seed: int, classes: tuple[str, ...] = CLASSES) -> LabelledSet:
    """Random sequences of 10 to 19 nucleotides, no two alike; the classes in turn."""
    rng = np.random.default_rng(seed)
    sequences = ["".join(rng.choice(list("ACGT"), 10 + i % 10)) for i in range(count)]
    assert len(set(sequences)) == count
    return LabelledSet(
        ids=[f"{seed}-{i}" for i in range(count)],
        sequences=sequences,
        lengths=np.array([len(sequence) for sequence in sequences]),
        labels=np.arange(count) % len(classes),
        classes=classes,
        kind="single",
    )


def recipe_of(**given) -> InContextRecipe:
    settings = {"method": "few_shot", "epochs": 1, "batch_size": 4, "checkpoint_every": 9}
    return InContextRecipe(**(settings | given))


@pytest.fixture(scope="module")
def splits() -> dict[str, LabelledSet]:
    counts = {"train": 30, "valid": 9, "test": 12}
    return {name: labelled(count, seed=seed) for seed, (name, count) in enumerate(counts.items())}


def questions_of(splits, split="test", *, longest=19, seed=0, **given) -> Questions:
    return Questions(splits, split, recipe_of(**given), longest=longest, seed=seed)


def texts(questions: Questions, rows: list[int], *, reverse: bool = False) -> list[str]:
    """The questions in letters, with a bar for [SEP]."""
    view = View.of_strand(len(rows), reverse=reverse)
    ids, lengths, _ = questions.batch(np.array(rows), view)
    return [
        decode(line[:length]).replace("[SEP]", "|")
        for line, length in zip(ids.numpy(), lengths, strict=True)
    ]


def parts_of(text: str) -> tuple[list[tuple[str, str]], str]:
    """The shots of a question, sequence and answer, and the sequence that is asked about."""
    assert text.endswith("|")
    *shown, asked = text[:-1].split("|")
    return list(zip(shown[::2], shown[1::2], strict=True)), asked


def test_without_shots_a_question_is_the_sequence_and_a_separator(splits):
    asked = texts(questions_of(splits), [0, 5])
    assert asked == [splits["test"].sequences[row] + "|" for row in (0, 5)]


def test_padding_is_on_the_right_of_the_separator(splits):
    ids, lengths, labels = questions_of(splits, shots=1).batch(
        np.arange(12), View.of_strand(12, reverse=False)
    )
    assert ids.shape == (12, lengths.max())
    for line, length in zip(ids.tolist(), lengths.tolist(), strict=True):
        assert PAD not in line[:length]
        assert set(line[length:]) <= {PAD}
    assert labels.tolist() == splits["test"].labels.tolist()


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize("shots", [1, 4])
def test_shots_are_of_train_with_the_letter_of_their_class_and_as_many_of_each(
    splits, split, shots
):
    train = splits["train"]
    answer = dict(
        zip(train.sequences, ("AGN"[label] for label in train.labels.tolist()), strict=True)
    )
    rows = list(range(len(splits[split])))
    for row, text in zip(rows, texts(questions_of(splits, split, shots=shots), rows), strict=True):
        shown, asked = parts_of(text)
        assert asked == splits[split].sequences[row]
        assert all(answer[sequence] == letter for sequence, letter in shown)
        assert sorted(letter for _, letter in shown) == sorted("AGN" * shots)
        assert len({sequence for sequence, _ in shown}) == 3 * shots
        assert asked not in {sequence for sequence, _ in shown}


def test_every_other_item_of_train_may_be_a_shot_and_the_one_asked_about_never_is(splits):
    questions = questions_of(splits, "train", shots=2)
    shown = {row for epoch in range(60) for row in questions.in_epoch(epoch).shots(7).tolist()}
    assert shown == set(range(30)) - {7}


def test_the_classes_of_the_shots_come_in_any_order(splits):
    labels = splits["train"].labels
    orders = {tuple(labels[questions_of(splits, shots=1).shots(row)]) for row in range(12)}
    assert len(orders) > 3


def test_shots_depend_on_seed_split_epoch_and_item_and_on_nothing_else(splits):
    def shots(split="train", seed=0, epoch=0, row=3):
        questions = questions_of(splits, split, seed=seed, shots=4)
        questions.shots(8)
        return questions.in_epoch(epoch).shots(row).tolist()

    assert shots() == shots()
    others = [shots(split="valid"), shots(seed=1), shots(epoch=1), shots(row=4)]
    assert shots() not in others


def test_a_question_is_the_same_alone_and_in_a_batch(splits):
    questions = questions_of(splits, "train", shots=2, flip_strand=0.5)
    together = texts(questions, [4, 9, 2])
    assert together == [texts(questions, [row])[0] for row in (4, 9, 2)]


def test_strands_are_drawn_for_train_alone(splits):
    def turned(split):
        rows = range(len(splits[split]))
        asked = texts(questions_of(splits, split, flip_strand=0.5), list(rows))
        return sum(asked[row][:-1] != splits[split].sequences[row] for row in rows)

    assert turned("test") == turned("valid") == 0
    assert 5 < turned("train") < 25


def test_a_view_turns_the_item_asked_about_and_no_shot(splits):
    questions = questions_of(splits, shots=1)
    (one,), (other,) = texts(questions, [2]), texts(questions, [2], reverse=True)
    assert parts_of(one)[0] == parts_of(other)[0]
    ids = questions_of(splits).batch(np.array([2]), View.of_strand(1, reverse=False))[0][0, :-1]
    assert parts_of(other)[1] == decode(reverse_complement_ids(ids.numpy()))


def test_long_sequences_keep_their_middle(splits):
    shown, asked = parts_of(texts(questions_of(splits, shots=2, longest=12), [9])[0])
    assert asked == splits["test"].sequences[9][3:15]
    assert max(len(sequence) for sequence, _ in shown) == 12


def test_letters_of_two_and_three_classes_are_the_published_ones():
    assert decode(class_tokens(("a", "b"))) == "AN"
    assert decode(class_tokens(("a", "b", "c"))) == "AGN"
    assert decode(class_tokens(tuple("abcde"))) == "ACGTN"


@pytest.mark.parametrize("classes", [("only",), tuple("abcdef")])
def test_classes_that_have_no_letters_are_refused(classes):
    with pytest.raises(InputError, match=f"{len(classes)} classes.*2 to 5 are allowed"):
        class_tokens(classes)


def test_a_question_that_cannot_fit_is_refused_with_the_arithmetic(splits):
    message = (
        "32,768 prompt tokens + 3 classes x 8 shots x (19 + 3 tokens) + 20 of the question = "
        "33,316 tokens, more than max_seq_len 32,770 of the model"
    )
    recipe = recipe_of(method="soft_prompt", prompt_tokens=32_768, shots=8)
    with pytest.raises(InputError, match=re.escape(message)):
        settle_length(splits, recipe, 32_770)


def test_a_question_may_fill_the_network_to_the_last_token(splits):
    recipe = recipe_of(method="soft_prompt", prompt_tokens=5, shots=2)
    needed = 5 + 3 * 2 * 22 + 20
    assert settle_length(splits, recipe, needed) == 19
    with pytest.raises(InputError, match=f"= {needed} tokens"):
        settle_length(splits, recipe, needed - 1)


def test_the_longest_question_is_as_long_as_the_arithmetic_says(splits):
    train = splits["train"].take(np.flatnonzero(splits["train"].lengths >= 15))
    questions = questions_of({"train": train, "test": splits["test"]}, shots=2, longest=15)
    _, lengths, _ = questions.batch(np.array([9]), View.of_strand(1, reverse=False))
    assert lengths.tolist() == [3 * 2 * (15 + 3) + 15 + 1]


def test_a_max_length_makes_room(splits):
    assert settle_length(splits, recipe_of(shots=2, max_length=10), 3 * 2 * 13 + 11) == 10


def test_too_few_examples_for_the_shots_are_refused(splits):
    with pytest.raises(InputError, match="'enhancer' has 10 training examples, and 10 shots"):
        questions_of(splits, shots=10)
    assert len(questions_of(splits, shots=9).shots(0)) == 27


def steps_of(splits, asked, *, first_step=0, count=6):
    """Rows of ids, without padding, of the questions of each step."""
    recipe = recipe_of(shots=1, micro_batch_size=3)
    stream = training_batches(questions_of(splits, "train", shots=1), asked, recipe, 0, first_step)
    return [
        [
            tuple(line[:length])
            for ids, lengths, _ in next(stream)
            for line, length in zip(ids.tolist(), lengths.tolist(), strict=True)
        ]
        for _ in range(count)
    ]


def test_an_epoch_asks_about_each_chosen_item_once_behind_shots_of_its_own(splits):
    asked = np.arange(3, 13)
    steps = steps_of(splits, asked)
    assert [len(step) for step in steps] == [4, 4, 2, 4, 4, 2]
    epochs = [
        {tuple(line[-1 - line[-2::-1].index(SEP) : -1]): line for step in part for line in step}
        for part in (steps[:3], steps[3:])
    ]
    sequences = {tuple(encode(splits["train"].sequences[row]).tolist()) for row in asked}
    assert epochs[0].keys() == epochs[1].keys() == sequences
    assert all(epochs[0][sequence] != epochs[1][sequence] for sequence in sequences)


def test_batches_go_on_where_they_were_left(splits):
    asked = np.arange(3, 13)
    assert steps_of(splits, asked, first_step=4, count=2) == steps_of(splits, asked)[4:]


def test_chosen_questions_are_balanced_and_each_choice_holds_the_smaller_ones():
    labels = np.repeat([0, 1, 2], [50, 20, 4])
    chosen = {count: choose_questions(labels, count, seed=3) for count in (3, 6, 12, 40)}
    assert [np.bincount(labels[rows]).tolist() for rows in chosen.values()] == [
        [1, 1, 1],
        [2, 2, 2],
        [4, 4, 4],
        [18, 18, 4],
    ]
    assert set(chosen[3]) < set(chosen[6]) < set(chosen[12]) < set(chosen[40])
    assert not np.array_equal(chosen[12], choose_questions(labels, 12, seed=4))


def test_more_questions_than_train_has_are_refused():
    with pytest.raises(InputError, match="tuning_samples 9 is more than the 8 training examples"):
        choose_questions(np.arange(8) % 2, 9, seed=0)
