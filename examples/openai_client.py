"""Ask a service through OpenAI's own package: `openai_client.py URL KEY_FILE QUESTION`."""

import sys
from pathlib import Path

from openai import OpenAI

url, key_file, question = sys.argv[1:]
client = OpenAI(base_url=f"{url}/v1", api_key=Path(key_file).read_text(encoding="utf-8").strip())
answer = client.chat.completions.create(
    model="sovereign-rag", messages=[{"role": "user", "content": question}]
)
print(answer.choices[0].message.content)
