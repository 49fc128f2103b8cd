"""Parts that several model families share: state dicts, adapters and OpenVINO."""
