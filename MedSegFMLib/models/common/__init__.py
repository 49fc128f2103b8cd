"""Parts shared by several model families: state dicts, adapters and OpenVINO."""
