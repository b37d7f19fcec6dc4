"""The smart-charging half of an OCPP charge point, beside a running station: a process of its own
between the station's HTTP interface and a CSMS."""
