#!/usr/bin/env python3
"""`diffusion serve` under OpenAI's Python package: models, pictures, streams, edits, and its errors.

Usage: openai_test.py PROGRAM MODEL
Says so and succeeds where the package is not installed (python3 -m venv VENV && VENV/bin/pip install openai).
"""
import base64
import io
import os
import signal
import subprocess
import sys
import tempfile

try:
    import openai
except ImportError:
    sys.exit(print(f"openai: skipped, the package openai is not installed for {sys.executable}"))

OPTIONS = {"seed": 7, "num_inference_steps": 6, "sampler": "ddim"}


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def sampled(program, model, folder, *options):
    """What `diffusion sample` makes, in base64."""
    out = tempfile.mkdtemp(dir=folder)
    subprocess.run([program, "sample", model, "-n", "2", "--seed", "7", "--label", "9", "--sampler", "ddim", "--steps", "6",
                    "-o", out, *options], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [base64.b64encode(open(os.path.join(out, name), "rb").read()).decode() for name in sorted(os.listdir(out))]


def check_models(client, name):
    expect([model.id for model in client.models.list()] == [name], "models.list")
    expect(client.models.retrieve(name).id == name, "models.retrieve")


def check_plain(client, name, pictures):
    answer = client.images.generate(model=name, prompt="ankle boot", n=2, extra_body=OPTIONS)
    expect([image.b64_json for image in answer.data] == pictures, "the bytes of `diffusion sample`")
    expect(answer.output_format == "png" and answer.created > 0, str(answer.output_format))
    jpeg = client.images.generate(model=name, prompt="an ankle boot", size="auto", quality="high", background="auto",
                                  moderation="low", output_format="jpeg", output_compression=80, user="somebody",
                                  response_format="b64_json", extra_body=OPTIONS)
    expect(base64.b64decode(jpeg.data[0].b64_json).startswith(b"\xff\xd8"), "JPEG")


def check_stream(client, name, pictures):
    kinds = []
    for event in client.images.generate(model=name, prompt="ankle boot", stream=True, partial_images=2,
                                        extra_body=OPTIONS):
        kinds.append(event.type)
        if event.type == "image_generation.partial_image":
            expect(event.partial_image_index == len(kinds) - 1, str(event.partial_image_index))
            expect(event.b64_json != pictures[0], "a state on the way")
    expect(kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"], str(kinds))
    expect(event.b64_json == pictures[0], "the last event has the picture")


def check_edit(client, name, pictures):
    picture = io.BytesIO(base64.b64decode(pictures[0]))
    picture.name = "boot.png"
    same = client.images.edit(model=name, image=picture, prompt="ankle boot", extra_body={"strength": 0})
    expect(same.data[0].b64_json == pictures[0], "strength 0 is the picture")
    picture.seek(0)
    kinds = [event.type for event in client.images.edit(model=name, image=[picture], prompt="sneaker", stream=True,
                                                        partial_images=1, extra_body=OPTIONS)]
    expect(kinds[-1] == "image_edit.completed", str(kinds))


def check_errors(client, name):
    for wish, kind, param in [({"prompt": "a hat"}, openai.BadRequestError, "prompt"),
                              ({"prompt": "0", "n": 1000}, openai.BadRequestError, "n"),
                              ({"prompt": "0", "model": "dall-e-3"}, openai.NotFoundError, "model")]:
        try:
            client.images.generate(**{"model": name, **wish})
            raise AssertionError(f"{wish} was accepted")
        except kind as error:
            expect(error.param == param and error.body["message"], f"{wish}: {error}")


def main():
    program, model = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    name = os.path.basename(model)
    server = subprocess.Popen([program, "serve", model, "--listen", "127.0.0.1:0", "--threads", "1", "--max-rows", "8"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        client = openai.OpenAI(base_url=server.stdout.readline().split()[-1] + "v1", api_key="none", max_retries=0)
        with tempfile.TemporaryDirectory() as folder:
            pictures = sampled(program, model, folder)
        check_models(client, name)
        check_plain(client, name, pictures)
        check_stream(client, name, pictures)
        check_edit(client, name, pictures)
        check_errors(client, name)
    finally:
        server.send_signal(signal.SIGTERM)
    expect(server.wait(timeout=60) == 0, "SIGTERM ends it with 0")
    print(f"openai: ok with {openai.__version__}")


main()
