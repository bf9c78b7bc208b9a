"""An error of a remote file system in words of our own."""


class RemoteFault(OSError):
    """A remote server can't be used, or broke off. Its message is a clause without any secret."""
