"""The station as a service: HTTP, MQTT and a dashboard, in a process beside the scan.

The scan's process is the parent. `orders.py` is its end of the link: it takes orders, checks them
again and shows every scan. `scan_link.py` is the other end, in the child that `service_process.py`
starts and where everything that faces a network lives. It can fall behind, be flooded or die: the
scan does not wait for it.
"""
