#!/usr/bin/env python3
"""Prints, in hexadecimal, an event file as TensorBoard's own code writes it: the golden of src/formats/tensorboard_test.cpp.

    python3 -m venv /tmp/tensorboard-venv
    /tmp/tensorboard-venv/bin/pip install tensorboard==2.21.0
    /tmp/tensorboard-venv/bin/python tests/golden/make_tensorboard_goldens.py
"""
import io

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

EVENTS = {
    "version": Event(wall_time=1700000000.25, file_version="brain.Event:2"),
    "session": Event(wall_time=1700000000.5, step=301, session_log=SessionLog(status=SessionLog.START)),
    "scalars": Event(wall_time=1700000001.75, step=301, summary=Summary(value=[
        Summary.Value(tag="train/loss", simple_value=0.1),
        Summary.Value(tag="held_out/loss", simple_value=-2.5e-3)])),
}
for name, event in EVENTS.items():
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    print(name, file.getvalue().hex())
