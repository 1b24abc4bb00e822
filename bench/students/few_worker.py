"""setfit, and transformers' Trainer, on a few texts per label; needs nothing of ours.

`python few_worker.py FOLDER`: FOLDER/request.json holds {"kind", "model", "texts", "labels",
"test_texts", "classes", "seed"}; prints JSON {"predicted", "seconds", "version"} as its last line.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any


def setfit(request: dict[str, Any], folder: Path) -> tuple[list[int], str]:
    """SetFit with its own settings: one epoch over its pairs, logistic regression on top."""
    import setfit as library
    from datasets import Dataset

    model = library.SetFitModel.from_pretrained(request["model"])
    arguments = library.TrainingArguments(
        batch_size=16,
        num_epochs=1,
        seed=request["seed"],
        output_dir=str(folder / "out"),
        save_strategy="no",
        show_progress_bar=False,
    )
    rows = Dataset.from_dict({"text": request["texts"], "label": request["labels"]})
    trainer = library.Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.train()
    said = model.predict(request["test_texts"], as_numpy=True, show_progress_bar=False)
    return [int(label) for label in said], library.__version__


def trainer(request: dict[str, Any], folder: Path) -> tuple[list[int], str]:
    """transformers' Trainer with its own settings, but ten epochs as our fine-tuning has."""
    import torch
    import transformers as library

    tokenizer = library.AutoTokenizer.from_pretrained(request["model"])
    model = library.AutoModelForSequenceClassification.from_pretrained(
        request["model"], num_labels=request["classes"]
    )
    rows = [
        {**tokenizer(text, truncation=True, max_length=128), "labels": label}
        for text, label in zip(request["texts"], request["labels"], strict=True)
    ]
    arguments = library.TrainingArguments(
        output_dir=str(folder / "out"),
        num_train_epochs=10,
        seed=request["seed"],
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    collate = library.DataCollatorWithPadding(tokenizer)
    made = library.Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    made.train()
    said: list[int] = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(request["test_texts"]), 64):
            part = request["test_texts"][start : start + 64]
            padded = tokenizer(
                part, truncation=True, max_length=128, padding=True, return_tensors="pt"
            )
            said += model(**padded).logits.argmax(dim=1).tolist()
    return said, library.__version__


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    request = json.loads((folder / "request.json").read_text())
    began = time.process_time()
    said, version = {"setfit": setfit, "trainer": trainer}[request["kind"]](request, folder)
    seconds = time.process_time() - began
    print(json.dumps({"predicted": said, "seconds": seconds, "version": version}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
