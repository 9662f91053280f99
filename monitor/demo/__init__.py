"""A lake of playback events in which one device goes dark under a stable total."""

from monitor.demo.config import is_demo, write_demo_config
from monitor.demo.fleet import DEFAULT_DEVICE, DEVICE_NAMES
from monitor.demo.lake import DeviceShare, Lake, write_lake

__all__ = ["DEFAULT_DEVICE", "DEVICE_NAMES", "DeviceShare", "Lake", "is_demo", "write_demo_config", "write_lake"]
