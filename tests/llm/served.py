"""A small OpenAI-compatible server with a real model behind it: real tokens, real generation.

`transformers serve` wants FastAPI and uvicorn, which nothing else here needs. This server does what it
does for one model: chat template, tokenizer, `generate`, usage. As many servers do, it refuses what it
does not know (a response format, log-probabilities) with a 400 that names the parameter.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KNOWN = {"model", "messages", "stream", "max_tokens", "max_completion_tokens", "temperature"}


class Served:
    """The model of a folder behind HTTP on a free port; `asked` keeps (tokens in, tokens out)."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
        self.asked: list[tuple[int, int]] = []
        self._one = threading.Lock()  # a model of this size answers one after the other

    def __enter__(self) -> "Served":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """One chat completion."""
        import torch

        text = self.tokenizer.apply_chat_template(
            body["messages"], tokenize=False, add_generation_prompt=True
        )
        rows = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        most = body.get("max_completion_tokens") or body.get("max_tokens") or 16
        with self._one, torch.inference_mode():
            written = self.model.generate(
                rows,
                attention_mask=torch.ones_like(rows),
                max_new_tokens=most,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
            )[0, rows.shape[1] :]
        ended = int(written[-1]) == self.tokenizer.eos_token_id
        self.asked.append((rows.shape[1], len(written)))
        content = self.tokenizer.decode(written, skip_special_tokens=True)
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "tiny-on-the-spot",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": "stop" if ended else "length",
                }
            ],
            "usage": {
                "prompt_tokens": rows.shape[1],
                "completion_tokens": len(written),
                "total_tokens": rows.shape[1] + len(written),
            },
        }


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            unknown = sorted(set(body) - KNOWN)
            if self.path != "/v1/chat/completions":
                self.answer(404, {"error": {"message": "Not here.", "code": "not_found"}})
            elif unknown:
                told = {"code": "unsupported_parameter", "param": unknown[0], "message": "Unknown."}
                self.answer(400, {"error": told})
            else:
                self.answer(200, served.complete(body))

        def answer(self, status: int, told: dict[str, Any]) -> None:
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
