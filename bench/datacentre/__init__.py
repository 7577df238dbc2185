"""The insurance data centre as a service: the domain of ``virtual_devices.cloud``, its database, and HTTP around both."""
