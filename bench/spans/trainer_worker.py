"""transformers' Trainer on marked words, as its own guide to token classification has it; needs nothing of ours.

`python trainer_worker.py FOLDER`: FOLDER/request.json holds {"model", "words", "tags", "test_words",
"kinds", "epochs", "seed"}; prints JSON {"tags", "seconds", "version"} as its last line.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

IGNORED = -100
LONGEST = 192


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    import torch
    import transformers as library

    request = json.loads((folder / "request.json").read_text())
    began = time.process_time()
    tokenizer = library.AutoTokenizer.from_pretrained(request["model"])
    model = library.AutoModelForTokenClassification.from_pretrained(
        request["model"], num_labels=request["kinds"]
    )

    def pieces(words: list[str]) -> Any:
        return tokenizer(words, is_split_into_words=True, truncation=True, max_length=LONGEST)

    rows = []
    for words, tags in zip(request["words"], request["tags"], strict=True):
        cut = pieces(words)
        rows.append({**cut, "labels": [at[0] for at in _first(cut.word_ids(), tags)]})
    arguments = library.TrainingArguments(
        output_dir=str(folder / "out"),
        num_train_epochs=request["epochs"],
        seed=request["seed"],
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    collate = library.DataCollatorForTokenClassification(tokenizer)
    made = library.Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    made.train()
    seconds = time.process_time() - began
    model.eval()
    told = []
    with torch.inference_mode():
        for words in request["test_words"]:
            cut = pieces(words)
            batch = {name: torch.tensor([cut[name]]) for name in cut}
            said = model(**batch).logits[0].argmax(dim=1).tolist() if words else []
            tags = [0] * len(words)
            for place, (_, word) in enumerate(_first(cut.word_ids(), tags)):
                if word is not None:
                    tags[word] = said[place]
            told.append(tags)
    print(json.dumps({"tags": told, "seconds": seconds, "version": library.__version__}))


def _first(word_ids: list[int | None], tags: list[int]) -> list[tuple[int, int | None]]:
    """Each piece's tag and word: those of a word at its first piece, IGNORED and None elsewhere."""
    found: list[tuple[int, int | None]] = []
    before = None
    for word in word_ids:
        begins = word is not None and word != before
        found.append((tags[word], word) if begins and word is not None else (IGNORED, None))
        before = word
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
