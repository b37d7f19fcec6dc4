"""The station as a service: HTTP, MQTT and a dashboard, in a process beside the scan.

The scan's process is the parent. `desk` is its end of the line: it takes orders, checks them again
and shows every scan. `process` is the other end, the child, where everything that faces a network
lives. It can fall behind, be flooded or die: the scan does not wait for it.
"""
